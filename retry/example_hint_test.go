package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/retry"
)

// A StatusError is a client's error for an answer such as "429 Too Many Requests".
type StatusError struct {
	Code int
	Wait time.Duration // from the header field Retry-After
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d", e.Code) }

// RetryAfter is all that a retry needs to heed the server.
func (e *StatusError) RetryAfter() (time.Duration, bool) { return e.Wait, e.Wait > 0 }

func Example_hint() {
	again := retry.New(retry.Config{Backoff: retry.Constant(0), MaxHint: time.Minute})

	first := true
	start := time.Now()
	err := again.Do(context.Background(), func(context.Context) error {
		if first {
			first = false
			return &StatusError{Code: 429, Wait: time.Millisecond}
		}
		return nil
	})
	fmt.Println(err, time.Since(start) >= time.Millisecond)

	// A server that wants to be left alone for an hour is not waited for.
	err = again.Do(context.Background(), func(context.Context) error {
		return &StatusError{Code: 503, Wait: time.Hour}
	})
	fmt.Println(errors.Is(err, retry.ErrHint))
	// Output:
	// <nil> true
	// true
}
