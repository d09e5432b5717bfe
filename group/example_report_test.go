package group_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/mettle-go/mettle/group"
)

// ping fails for most of its hosts, in two ways.
func ping(_ context.Context, host int) (int, error) {
	switch {
	case host%100 == 0:
		return host, nil
	case host%3 == 0:
		return 0, fmt.Errorf("host %d: no route", host)
	}
	return 0, fmt.Errorf("ping host %d: %w", host, errors.New("connection refused"))
}

func hosts(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// By %+v a thousand failures take a line for each kind.
func ExampleError_Format() {
	_, err := group.Map(context.Background(), hosts(1000), group.Config{MaxFailures: -1}, ping)

	fmt.Printf("%+v\n", err)
	// Output:
	// group: 990 of 1000 items failed
	// 	660 × connection refused; first: item 1: ping host 1: connection refused
	// 	330 × host #: no route; first: item 3: host 3: no route
}

// Given as it is, and not as its text, the error is counts and kinds in a log.
func ExampleError_LogValue() {
	_, err := group.Map(context.Background(), hosts(3), group.Config{MaxFailures: -1}, ping)

	logger := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	logger.Error("pinged", "error", err)
	// Output: {"level":"ERROR","msg":"pinged","error":{"succeeded":1,"failed":2,"canceled":0,"not_started":0,"kinds":[{"count":2,"kind":"connection refused","first":"item 1: ping host 1: connection refused"}]}}
}
