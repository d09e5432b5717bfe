package group_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mettle-go/mettle/group"
)

// One of several mirrors is enough.
func ExampleFirst() {
	down := func(context.Context) (string, error) { return "", errors.New("eu: connection refused") }
	up := func(context.Context) (string, error) { return "answer from us", nil }
	slow := func(ctx context.Context) (string, error) {
		<-ctx.Done() // until another is first
		return "", ctx.Err()
	}

	answer, err := group.First(context.Background(), down, slow, up)
	fmt.Println(answer, err)

	_, err = group.First(context.Background(), down, down)
	fmt.Println(err)
	// Output:
	// answer from us <nil>
	// group: 2 of 2 items failed: item 0: eu: connection refused; item 1: eu: connection refused
}

// Three operations have one timeout together: what came in time is used, the rest is canceled.
func ExampleWait() {
	price := func(context.Context) (string, error) { return "price 12", nil }
	stock := func(context.Context) (string, error) { return "", errors.New("stock: no such item") }
	reviews := func(ctx context.Context) (string, error) {
		<-ctx.Done() // takes too long
		return "", context.Cause(ctx)
	}

	done, pending := group.Wait(context.Background(), 200*time.Millisecond, price, stock, reviews)
	for _, i := range slices.Sorted(maps.Keys(done)) {
		if r := done[i]; r.Err != nil {
			fmt.Println(i, "failed:", r.Err)
		} else {
			fmt.Println(i, "done:", r.Value)
		}
	}
	fmt.Println("pending:", pending)
	// Output:
	// 0 done: price 12
	// 1 failed: stock: no such item
	// pending: [2]
}
