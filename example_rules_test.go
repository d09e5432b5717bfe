package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/mettle-go/mettle/retry"
)

// A StatusError is a client's error for an answer of an HTTP server.
type StatusError int

func (e StatusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// status matches the answers with codes from low to high.
func status(low, high StatusError) func(error) bool {
	return func(err error) bool {
		code, ok := errors.AsType[StatusError](err)
		return ok && code >= low && code <= high
	}
}

// Two services share the rules: connection errors are retried 10 times, answers of 500 and above as often as the service allows, those
// of 400 to 499 not at all. Each service has its own number of attempts, and, since each has its own policy, its own budget.
func Example_rules() {
	rules := []retry.Rule{
		{If: retry.Is(syscall.ECONNREFUSED, syscall.ECONNRESET), Attempts: 10},
		{If: status(500, 599)},
		{If: status(400, 499), Stop: true},
	}
	search := retry.New(retry.Config{Name: "search", Attempts: 4, Backoff: retry.Constant(0), Rules: rules})
	billing := retry.New(retry.Config{Name: "billing", Attempts: 2, Backoff: retry.Constant(0), Rules: rules})

	for _, service := range []*retry.Policy{search, billing} {
		for _, failure := range []error{syscall.ECONNREFUSED, StatusError(500), StatusError(400)} {
			attempts := 0
			service.Do(context.Background(), func(context.Context) error { attempts++; return failure })
			fmt.Printf("%s: %v: %d\n", service.Describe().Name, failure, attempts)
		}
	}
	// Output:
	// search: connection refused: 10
	// search: status 500: 4
	// search: status 400: 1
	// billing: connection refused: 10
	// billing: status 500: 2
	// billing: status 400: 1
}
