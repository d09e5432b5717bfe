package group_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
)

// A program's health check may look at how many functions hang.
func ExampleDetached() {
	answer := make(chan int)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, _ = group.Detach(ctx, func() (int, error) { return <-answer, nil })

	_, stragglers := group.Detached()
	fmt.Println(stragglers, "left running, room for", group.MaxDetached)
	answer <- 1
	// Output: 1 left running, room for 1024
}

// The old client knows no context. Its caller does, and leaves in time.
func ExampleDetach() {
	answer := make(chan string)
	lookup := func() (string, error) { return <-answer, nil } // blocks

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := group.Detach(ctx, lookup)
	fmt.Println(err)
	fmt.Println("did it run?", !errors.Is(err, mettle.ErrRejected))
	answer <- "too late"
	// Output:
	// group: left running: context deadline exceeded
	// did it run? true
}
