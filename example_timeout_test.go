package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/timeout"
)

// A function with a time limit. The error names the operation and is context.DeadlineExceeded, as every deadline's.
func Example_timeout() {
	find := func(ctx context.Context, word string) ([]string, error) {
		<-ctx.Done() // a query that hangs
		return nil, fmt.Errorf("query for %q: %w", word, ctx.Err())
	}
	find = mettle.Wrap(timeout.New(timeout.Config{Name: "search", After: time.Millisecond}), find)

	_, err := find(context.Background(), "gopher")
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	if late, ok := errors.AsType[*timeout.Error](err); ok {
		fmt.Println(late.Name, late.After)
	}
	// Output:
	// timeout: search: time was up after 1ms: query for "gopher": context deadline exceeded
	// true
	// search 1ms
}
