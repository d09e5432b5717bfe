package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// patience is how long a check waits for what should happen at once.
const patience = 10 * time.Second

// patient returns a request's context that ends when patience does, so that no contender can hang a check.
func patient() (context.Context, context.CancelFunc) {
	ctx, cancel := request()
	ctx, stop := context.WithTimeout(ctx, patience)
	return ctx, func() { stop(); cancel() }
}

// passes returns an error unless do runs its function exactly once, with a context that knows the caller's values, and passes on
// both its success and its failure.
func passes(do act) error {
	ctx, cancel := request()
	defer cancel()
	for _, want := range []error{nil, errDown} {
		runs, known := 0, true
		err := do(ctx, func(ctx context.Context) error {
			runs++
			known = known && ctx.Value(requestKey{}) == 1
			return want
		})
		switch {
		case runs != 1:
			return fmt.Errorf("ran the function %d times, want once", runs)
		case !errors.Is(err, want):
			return fmt.Errorf("returned %v where the function returned %v", err, want)
		case !known:
			return errors.New("lost a value of the caller's context")
		}
	}
	return nil
}

// turnsAway returns an error unless do rejects calls without running the function.
func turnsAway(ctx context.Context, do act) error {
	for range 3 {
		ran := false
		if err := do(ctx, func(context.Context) error { ran = true; return nil }); ran || err == nil {
			return fmt.Errorf("ran the function: %t, returned %v, want a rejection", ran, err)
		}
	}
	return nil
}
