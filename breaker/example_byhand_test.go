package breaker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

func ExampleBreaker_ForceOpen() {
	b := breaker.New(breaker.Config{Name: "reports"})
	b.ForceOpen() // the database is to be moved

	err := b.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(errors.Is(err, breaker.ErrOpen), b.State())

	b.Reset()
	err = b.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(err, b.State())
	// Output:
	// true forced-open
	// <nil> closed
}

func ExampleBreaker_Disable() {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	b.Disable()
	for range 3 {
		fmt.Println(b.Do(context.Background(), func(context.Context) error { return errDown }), b.State())
	}
	// Output:
	// down disabled
	// down disabled
	// down disabled
}

// Before a breaker is trusted with real traffic, let it say when it would have opened.
func ExampleBreaker_ObserveOnly() {
	b := breaker.New(breaker.Config{
		Trip: breaker.Consecutive(3),
		Observer: func(_ context.Context, e mettle.Event) {
			if e.From == "observe-only" && e.To == "observe-only" {
				fmt.Printf("would have opened: %d of %d calls failed, the last with %q\n", e.Failures, e.Calls, e.Err)
			}
		},
	})
	b.ObserveOnly()
	for _, err := range []error{nil, errDown, errDown, errDown, nil} {
		b.Do(context.Background(), func(context.Context) error { return err })
	}
	// Output: would have opened: 3 of 4 calls failed, the last with "down"
}

func ExampleBreaker_Reset() {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	b.Do(context.Background(), func(context.Context) error { return errDown })
	fmt.Println(b.State())
	b.Reset() // somebody knows better: it is mended
	fmt.Println(b.State())
	// Output:
	// open
	// closed
}

func ExampleBreaker_Fresh() {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	fmt.Println(b.Fresh())
	b.Do(context.Background(), func(context.Context) error { return errDown })
	fmt.Println(b.Fresh())
	// Output:
	// true
	// false
}
