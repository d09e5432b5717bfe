package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

func ExampleNew() {
	users := breaker.New(breaker.Config{Name: "users-db"})

	name, err := mettle.Call(context.Background(), users, func(ctx context.Context) (string, error) {
		return "gopher", nil // in your program: a query with ctx
	})
	fmt.Println(name, err, users.State())
	// Output: gopher <nil> closed
}

func ExampleBreaker_Do() {
	b := breaker.New(breaker.Config{Name: "users-db", Trip: breaker.Consecutive(2)})
	query := func(context.Context) error { return errors.New("connection refused") }

	for range 3 {
		err := b.Do(context.Background(), query)
		if errors.Is(err, breaker.ErrOpen) {
			fmt.Println("from the cache:", err)
			continue
		}
		fmt.Println(err)
	}
	// Output:
	// connection refused
	// connection refused
	// from the cache: mettle: rejected by breaker users-db: breaker: open
}

func ExampleBreaker_Acquire() {
	b := breaker.New(breaker.Config{})
	stream := func() (err error) {
		permit, err := b.Acquire(context.Background())
		if err != nil {
			return err // nothing ran
		}
		err = errors.New("stream: panicked") // what the breaker hears if the code below panics
		defer func() { permit.Done(err) }()
		// … read the stream to its end …
		err = nil
		return err
	}
	fmt.Println(stream())
	// Output: <nil>
}

func ExampleBreaker_Describe() {
	b := breaker.New(breaker.Config{Name: "users-db"})
	b.Do(context.Background(), func(context.Context) error { return nil })
	d := b.Describe()
	fmt.Println(d.Kind, d.Name, d.State)
	for _, m := range d.Metrics {
		if m.Name != "in_state_seconds" { // it differs from run to run
			fmt.Println(m.Name, m.Value)
		}
	}
	// Output:
	// breaker users-db closed
	// calls 1
	// failures 0
	// rejections 0
	// openings 0
	// trips 0
	// failure_rate 0
}

func ExampleBreaker_State() {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	b.Do(context.Background(), func(context.Context) error { return errors.New("down") })
	fmt.Println(b.State(), b.State() == breaker.Open)
	// Output: open true
}

func ExampleConsecutive() {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(3)})
	for _, err := range []error{errDown, errDown, nil, errDown, errDown, errDown} {
		b.Do(context.Background(), func(context.Context) error { return err })
		fmt.Print(b.State(), " ")
	}
	// Output: closed closed closed closed closed open
}

// A dependency of which one call in a thousand fails on a good day and one in fifty on a bad one: the breaker
// opens when the evidence for the bad day outweighs that for the good one by e¹⁰.
func ExampleShift() {
	b := breaker.New(breaker.Config{Trip: breaker.Shift(0.001, 0.02, 10)})
	calls := 0
	for b.State() == breaker.Closed {
		calls++
		b.Do(context.Background(), func(context.Context) error {
			if calls%25 == 0 {
				return errDown
			}
			return nil
		})
	}
	fmt.Println("opened after", calls, "calls of which one in 25 failed")
	// Output: opened after 100 calls of which one in 25 failed
}

func ExampleConfig_Validate() {
	c := breaker.Config{Cooldown: time.Minute, MaxCooldown: time.Second}
	fmt.Println(c.Validate())
	// Output: breaker: Config.MaxCooldown is 1s, want Cooldown, which is 1m0s, or more
}
