package lock_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/lock"
)

// A lock that is given up with the deadline, so that a slow holder does not hold up everybody for ever.
func Example_deadline() {
	var mu lock.Mutex
	mu.TryLock() // by one who takes his time

	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, errors.New("no time left for this request"))
	defer cancel()
	err := mu.With(ctx, func() error {
		fmt.Println("never printed")
		return nil
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// context deadline exceeded: no time left for this request
	// true
}
