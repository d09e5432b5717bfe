package retry_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

func ExamplePolicy_Do() {
	again := retry.New(retry.Config{
		Attempts: 4,
		Backoff:  retry.Backoff{Base: time.Microsecond, Jitter: retry.NoJitter},
	})

	calls := 0
	err := again.Do(context.Background(), func(context.Context) error {
		if calls++; calls < 3 {
			return errors.New("connection reset")
		}
		return nil
	})
	fmt.Println(err, "after", calls, "calls")
	// Output: <nil> after 3 calls
}

func ExampleNew() {
	again := retry.New(retry.Config{
		Name:    "users-db",
		Backoff: retry.Constant(0),
		Observer: func(_ context.Context, e mettle.Event) {
			fmt.Printf("attempt %d of %d: %v\n", e.Attempt, e.Of, e.Err)
		},
	})
	again.Do(context.Background(), func(context.Context) error { return errors.New("refused") })
	// Output:
	// attempt 1 of 3: refused
	// attempt 2 of 3: refused
}

func ExampleExhaustedError() {
	again := retry.New(retry.Config{Name: "users-db", Backoff: retry.Constant(0)})
	err := again.Do(context.Background(), func(context.Context) error { return errors.New("refused") })

	if e, ok := errors.AsType[*retry.ExhaustedError](err); ok {
		for _, a := range e.Attempts {
			fmt.Println(a.N, a.Err)
		}
		fmt.Println(e.Reason)
	}
	// Output:
	// 1 refused
	// 2 refused
	// 3 refused
	// retry: attempts used up
}

// Only failures of the network are worth another attempt here.
func ExampleConfig_classify() {
	errNetwork, errAnswer := errors.New("network"), errors.New("no such user")
	again := retry.New(retry.Config{
		Backoff: retry.Constant(0),
		Classify: func(err error) mettle.Verdict {
			if errors.Is(err, errNetwork) {
				return mettle.Failure
			}
			return mettle.Ignore
		},
	})
	for _, kind := range []error{errNetwork, errAnswer} {
		calls := 0
		again.Do(context.Background(), func(context.Context) error { calls++; return kind })
		fmt.Println(kind, calls)
	}
	// Output:
	// network 3
	// no such user 1
}

func ExampleConfig_Validate() {
	read := retry.Config{Attempts: -5} // from a file, say
	fmt.Println(read.Validate())
	// Output: retry: Config.Attempts is -5, want -1 or more
}
