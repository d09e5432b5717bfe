package mettle_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// Waits that double each time, and vary by a quarter either way so that clients that failed together do not come back together. In
// production Base is 100 ms or more.
func Example_exponentialBackoff() {
	var waits []time.Duration
	again := retry.New(retry.Config{
		Attempts: 5,
		Backoff:  retry.Backoff{Base: 100 * time.Microsecond, Factor: 2, Max: time.Millisecond, Jitter: retry.Spread(0.25)},
		Observer: func(_ context.Context, e mettle.Event) { waits = append(waits, e.Wait) },
	})
	user, err := mettle.Wrap(again, flaky())(context.Background(), 7)
	fmt.Println(user.Name, err)

	for i, wait := range waits {
		plain := 100 * time.Microsecond << i
		fmt.Println("about", plain, wait >= plain*3/4 && wait <= plain*5/4)
	}
	// Output:
	// user 7 <nil>
	// about 100µs true
	// about 200µs true
}
