package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// A TokenError says that a login is over.
type TokenError struct{ User string }

func (e *TokenError) Error() string { return "the token of " + e.User + " has expired" }

// A decorator with a list of its own: it retries the errors on the list and no others. Is matches values, On matches types; the last rule
// is for the rest.
func Example_decorator() {
	errs := map[string]error{
		"report":  fmt.Errorf("read: %w", syscall.ECONNRESET),
		"invoice": fmt.Errorf("body: %w", io.ErrUnexpectedEOF),
		"letter":  fmt.Errorf("login: %w", &TokenError{"ada"}),
		"secret":  errors.New("forbidden"),
	}
	calls := 0
	open := func(_ context.Context, name string) ([]byte, error) { calls++; return nil, errs[name] }

	open = mettle.Wrap(retry.New(retry.Config{
		Attempts: 4,
		Backoff:  retry.Constant(0),
		Rules: []retry.Rule{
			{If: retry.Is(syscall.ECONNRESET, io.ErrUnexpectedEOF)},
			{If: retry.On[*TokenError](), Attempts: 2},
			{If: func(error) bool { return true }, Stop: true},
		},
	}), open)

	for _, name := range []string{"report", "invoice", "letter", "secret"} {
		calls = 0
		_, err := open(context.Background(), name)
		fmt.Println(name, calls, errors.Is(err, errs[name]))
	}
	// Output:
	// report 4 true
	// invoice 4 true
	// letter 2 true
	// secret 1 true
}
