package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/breaker"
)

// The breaker that most asyncio services carry: it opens after 5 failures in a row, waits for 60 s, lets one
// call through at a time, and closes after 3 successes.
func Example_asyncio() {
	payments := breaker.New(breaker.Config{
		Name:        "payments",
		Trip:        breaker.Consecutive(5),
		Cooldown:    60 * time.Second,
		MaxCooldown: 60 * time.Second,
		Probes:      1,
		Successes:   3,
	})
	charge := func(context.Context) error { return errors.New("503 from payments") }

	var err error
	for range 6 {
		err = payments.Do(context.Background(), charge)
	}
	fmt.Println(errors.Is(err, breaker.ErrOpen), payments.State())
	// Output: true open
}
