package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/timeout"
)

func ExampleAfter() {
	quick := timeout.After(time.Millisecond)

	err := quick.Do(context.Background(), func(ctx context.Context) error {
		<-ctx.Done() // a call that hangs, but heeds its context
		return ctx.Err()
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// timeout: time was up after 1ms
	// true
}

// The name tells which of several operations was too slow.
func ExampleNew() {
	search := timeout.New(timeout.Config{Name: "search", After: time.Millisecond})

	err := search.Do(context.Background(), func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("query aborted")
	})
	fmt.Println(err)
	// Output: timeout: search: time was up after 1ms: query aborted
}

// Within the function, the cause of the context tells whose deadline it was.
func ExampleError() {
	search := timeout.New(timeout.Config{Name: "search", After: time.Millisecond})

	search.Do(context.Background(), func(ctx context.Context) error {
		<-ctx.Done()
		if up, ok := errors.AsType[*timeout.Error](context.Cause(ctx)); ok {
			fmt.Println(up.Name, "had", up.After)
		}
		return ctx.Err()
	})
	// Output: search had 1ms
}

func ExamplePolicy_Do() {
	second := timeout.After(time.Second)

	err := second.Do(context.Background(), func(ctx context.Context) error {
		_, bounded := ctx.Deadline()
		fmt.Println("bounded:", bounded)
		return nil
	})
	fmt.Println(err)
	// Output:
	// bounded: true
	// <nil>
}
