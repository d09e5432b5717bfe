package group_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mettle-go/mettle/group"
)

// Ten flaky tasks: what failed is seen side by side with what did not.
func ExampleSettle() {
	check := func(_ context.Context, shard int) (string, error) {
		switch {
		case shard%4 == 3:
			return "", errors.New("connection refused")
		case shard == 5:
			replicas := []string{"a", "b"}
			return replicas[shard], nil // a bug
		}
		return "ok", nil
	}

	shards := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for shard, r := range group.Settle(context.Background(), shards, group.Config{}, check) {
		switch _, isPanic := errors.AsType[*group.PanicError](r.Err); {
		case isPanic:
			fmt.Println(shard, "panicked")
		case r.Err != nil:
			fmt.Println(shard, "failed:", r.Err)
		default:
			fmt.Println(shard, r.Value)
		}
	}
	// Output:
	// 0 ok
	// 1 ok
	// 2 ok
	// 3 failed: connection refused
	// 4 ok
	// 5 panicked
	// 6 ok
	// 7 failed: connection refused
	// 8 ok
	// 9 ok
}

// The third failure stops a batch: what runs is canceled, the rest is not started, and all is accounted for.
func ExampleMap_maxFailures() {
	hang := make(chan struct{}) // nobody closes it
	fetch := func(ctx context.Context, page int) (string, error) {
		switch {
		case page == 0 || page == 5:
			select { // slow; ends early when canceled
			case <-hang:
			case <-ctx.Done():
				return "", ctx.Err()
			}
		case page%2 == 1:
			return "", fmt.Errorf("page %d is gone", page)
		}
		return fmt.Sprint("page ", page), nil
	}

	pages := make([]int, 20)
	for i := range pages {
		pages[i] = i
	}
	_, err := group.Map(context.Background(), pages, group.Config{Limit: 3, MaxFailures: 3}, fetch)
	if all, ok := errors.AsType[*group.Error](err); ok {
		fmt.Println(all.Succeeded, "succeeded,", all.Failed, "failed,", all.Canceled, "canceled,", all.NotStarted, "never started")
		fmt.Println("sum:", all.Succeeded+all.Failed+all.Canceled+all.NotStarted)
		fmt.Println("why:", all.Cause)
		fmt.Println("page 19:", all.Item(19))
	}
	// Output:
	// 3 succeeded, 3 failed, 2 canceled, 12 never started
	// sum: 20
	// why: group: item 7: page 7 is gone
	// page 19: group: never started
}

// The limit of a batch is its semaphore: no more than two uploads at any moment.
func ExampleMap_limit() {
	var running, most atomic.Int32
	upload := func(_ context.Context, file string) (int, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		return len(file), nil
	}

	files := []string{"a.txt", "bb.txt", "ccc.txt", "dddd.txt", "eeeee.txt"}
	sizes, err := group.Map(context.Background(), files, group.Config{Limit: 2}, upload)
	fmt.Println(sizes, err)
	fmt.Println("never more than two:", most.Load() <= 2)
	// Output:
	// [5 6 7 8 9] <nil>
	// never more than two: true
}
