package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// Waits that vary by a quarter either way.
func ExampleSpread() {
	var waits []time.Duration
	again := retry.New(retry.Config{
		Attempts: 4,
		Backoff:  retry.Backoff{Base: 100 * time.Microsecond, Jitter: retry.Spread(0.25)},
		Observer: func(_ context.Context, e mettle.Event) { waits = append(waits, e.Wait) },
	})
	again.Do(context.Background(), func(context.Context) error { return errors.New("down") })

	for i, d := range waits {
		plain := 100 * time.Microsecond << i
		fmt.Println(plain, "±25%:", d >= plain*3/4 && d <= plain*5/4)
	}
	// Output:
	// 100µs ±25%: true
	// 200µs ±25%: true
	// 400µs ±25%: true
}

// A made backoff gets its jitter afterwards.
func ExampleBackoff_WithJitter() {
	b := retry.Linear(100*time.Microsecond, time.Millisecond).WithJitter(retry.FullJitter)
	again := retry.New(retry.Config{Attempts: 2, Backoff: b, Observer: func(_ context.Context, e mettle.Event) {
		fmt.Println(e.Wait <= 100*time.Microsecond)
	}})
	again.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	// Output: true
}
