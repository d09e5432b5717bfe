package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// show prints the waits that b plans.
func show(b retry.Backoff) {
	var waits []any
	p := retry.New(retry.Config{Attempts: 5, Backoff: b, Observer: func(_ context.Context, e mettle.Event) {
		waits = append(waits, e.Wait)
	}})
	p.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	fmt.Println(waits...)
}

func ExampleBackoff() {
	show(retry.Backoff{Base: 100 * time.Microsecond, Factor: 2, Max: 500 * time.Microsecond, Jitter: retry.NoJitter})
	// Output: 100µs 200µs 400µs 500µs
}

func ExampleConstant() {
	show(retry.Constant(50 * time.Microsecond))
	show(retry.Constant(0)) // no wait at all
	// Output:
	// 50µs 50µs 50µs 50µs
	// 0s 0s 0s 0s
}

func ExampleLinear() {
	show(retry.Linear(100*time.Microsecond, 300*time.Microsecond))
	// Output: 100µs 200µs 300µs 300µs
}

// Once at once, then more patiently.
func ExampleSequence() {
	show(retry.Sequence(0, 10*time.Microsecond, 100*time.Microsecond))
	// Output: 0s 10µs 100µs 100µs
}

func ExampleFunc() {
	show(retry.Func(func(n int) time.Duration { return time.Duration(n*n) * time.Microsecond }))
	// Output: 1µs 4µs 9µs 16µs
}
