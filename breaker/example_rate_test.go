package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/breaker"
)

func ExampleRate() {
	b := breaker.New(breaker.Config{Trip: breaker.Rate(breaker.Window{Calls: 10, Min: 5, Failures: 0.4})})
	for _, err := range []error{errDown, nil, nil, nil, errDown} {
		b.Do(context.Background(), func(context.Context) error { return err })
		fmt.Print(b.State(), " ")
	}
	// Output: closed closed closed closed open
}

// Half of the calls of the last 30 s failed, or four fifths took longer than 2 s.
func ExampleWindow() {
	w := breaker.Window{Time: 30 * time.Second, Slow: 0.8, SlowAfter: 2 * time.Second}
	search := breaker.New(breaker.Config{Name: "search", Trip: breaker.Rate(w)})
	fmt.Println(search.State(), w)
	// Output: closed Window{Time: 30s, Slow: 0.8, SlowAfter: 2s}
}

func ExampleWindow_String() {
	fmt.Println(breaker.Window{Calls: 100, Failures: 0.25})
	// Output: Window{Calls: 100, Failures: 0.25}
}

func ExampleTrip_String() {
	fmt.Println(breaker.Trip{})
	fmt.Println(breaker.Rate(breaker.Window{Calls: 100}))
	// Output:
	// Shift(0.1, 0.5, 12)
	// Rate(Window{Calls: 100})
}

func ExampleState_String() {
	fmt.Println(breaker.HalfOpen, breaker.ForcedOpen)
	// Output: half-open forced-open
}

func ExampleConfig() {
	b := breaker.New(breaker.Config{Name: "search", Trip: breaker.Consecutive(5), Cooldown: 10 * time.Second, Probes: 2})
	err := b.Do(context.Background(), func(context.Context) error { return errors.New("refused") })
	fmt.Println(err, b.State())
	// Output: refused closed
}
