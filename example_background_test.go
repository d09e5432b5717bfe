package mettle_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
)

// A call that blocks is retried in a goroutine of its own, and the caller goes on with its work.
//
// Run returns when both are over: the caller may do other things meanwhile, but not leave the call behind. A call that does not look at its
// context is waited for, however long it takes.
func Example_background() {
	again := retry.New(retry.Config{Name: "upload", Backoff: retry.Constant(0)})
	connected := make(chan struct{})
	attempts := 0
	upload := func(ctx context.Context) error {
		if attempts++; attempts < 3 {
			return errors.New("connection reset")
		}
		select { // blocks
		case <-connected:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(ctx context.Context) error { return again.Do(ctx, upload) })

		fmt.Println("the caller goes on while the call blocks")
		close(connected)
		return nil
	})
	fmt.Println("uploaded after", attempts, "attempts:", err)
	// Output:
	// the caller goes on while the call blocks
	// uploaded after 3 attempts: <nil>
}
