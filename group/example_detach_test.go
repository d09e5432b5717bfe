package group_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
)

// A program's health check may look at how many functions hang.
func ExampleDetached() {
	answer := make(chan int)
	ctx, cancel := context.WithCancel(context.Background())
	_, _ = group.Detach(ctx, func() (int, error) {
		cancel() // its caller has had enough
		return <-answer, nil
	})

	_, stragglers := group.Detached()
	fmt.Println(stragglers, "left running, room for", group.MaxDetached)
	answer <- 1
	// Output: 1 left running, room for 1024
}

// The old client knows no context. Its caller does, and leaves in time.
func ExampleDetach() {
	answer := make(chan string)
	ctx, cancel := context.WithCancel(context.Background())
	lookup := func() (string, error) {
		cancel()             // meanwhile the caller's request is canceled
		return <-answer, nil // and this blocks
	}

	_, err := group.Detach(ctx, lookup)
	fmt.Println(err)
	fmt.Println("did it run?", !errors.Is(err, mettle.ErrRejected))
	answer <- "too late"
	// Output:
	// group: left running: context canceled
	// did it run? true
}
