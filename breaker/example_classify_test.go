package breaker_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

// Answers that say "no" are answers: the dependency is well.
func Example_classify() {
	errNotFound := errors.New("not found")
	b := breaker.New(breaker.Config{
		Trip: breaker.Consecutive(1),
		Classify: func(err error) mettle.Verdict {
			if errors.Is(err, errNotFound) {
				return mettle.Success
			}
			return mettle.Failure
		},
	})

	err := b.Do(context.Background(), func(context.Context) error { return errNotFound })
	fmt.Println(err, b.State())
	// Output: not found closed
}
