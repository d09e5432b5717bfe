package group_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/mettle-go/mettle/group"
)

// Try every item, use what came, and report the rest.
func Example_everyItem() {
	db := userDB{1: "Ada", 2: "Grace"}
	ids := []int{1, 7, 2}

	users, err := group.Map(context.Background(), ids, group.Config{MaxFailures: -1}, db.User)
	all, _ := errors.AsType[*group.Error](err) // nil if there was no failure
	for i, u := range users {
		if err := all.Item(i); err != nil {
			fmt.Println(ids[i], "failed:", err)
			continue
		}
		fmt.Println(ids[i], "is", u.name)
	}
	// Output:
	// 1 is Ada
	// 7 failed: group: item 1: no user 7
	// 2 is Grace
}

func ExampleError() {
	_, err := group.Map(context.Background(), []int{1, 2, 3, 4, 5, 6}, group.Config{Limit: 1, MaxFailures: 2}, userDB{1: "Ada"}.User)

	if e, ok := errors.AsType[*group.Error](err); ok {
		fmt.Println(e.Succeeded, e.Failed, e.Canceled, e.NotStarted)
		fmt.Println(e.Cause)
	}
	fmt.Println(err)
	// Output:
	// 1 2 0 3
	// group: item 2: no user 3
	// group: 2 of 6 items failed, 3 never started: item 1: no user 2; item 2: no user 3
}

func ExampleError_Item() {
	_, err := group.Map(context.Background(), []int{1, 2, 3}, group.Config{Limit: 1}, userDB{1: "Ada"}.User)

	all, _ := errors.AsType[*group.Error](err)
	for i := range 3 {
		fmt.Println(all.Item(i))
	}
	// Output:
	// <nil>
	// group: item 1: no user 2
	// group: never started
}

func ExampleItemError() {
	ids := []int{1, 7}
	_, err := group.Map(context.Background(), ids, group.Config{}, userDB{1: "Ada"}.User)

	if item, ok := errors.AsType[*group.ItemError](err); ok {
		fmt.Println("id", ids[item.Index], "failed:", item.Err)
	}
	// Output: id 7 failed: no user 7
}

func ExamplePanicError() {
	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(context.Context) error { panic("no such case") })
		return nil
	})
	if p, ok := errors.AsType[*group.PanicError](err); ok {
		fmt.Println("panicked with", p.Value)
		fmt.Println("stack leads to this file:", strings.Contains(string(p.Stack), "example_errors_test.go"))
	}
	// Output:
	// panicked with no such case
	// stack leads to this file: true
}

func Example_goexit() {
	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(context.Context) error { runtime.Goexit(); return nil }) // as testing.T.FailNow does
		return nil
	})
	fmt.Println(errors.Is(err, group.ErrGoexit))
	// Output: true
}
