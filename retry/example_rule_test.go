package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/mettle-go/mettle/retry"
)

func ExampleIs() {
	cut := retry.Is(io.ErrUnexpectedEOF, io.ErrClosedPipe)
	fmt.Println(cut(fmt.Errorf("read: %w", io.ErrUnexpectedEOF)), cut(io.EOF))
	// Output: true false
}

func ExampleOn() {
	onDisk := retry.On[*fs.PathError]()
	fmt.Println(onDisk(fmt.Errorf("load: %w", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist})), onDisk(io.EOF))
	// Output: true false
}

// The function may want to know that it is being retried: to ask another replica, or to log.
func ExampleAttemptFrom() {
	again := retry.New(retry.Config{Backoff: retry.Constant(0)})
	again.Do(context.Background(), func(ctx context.Context) error {
		fmt.Println("attempt", retry.AttemptFrom(ctx))
		return io.ErrUnexpectedEOF
	})
	// Output:
	// attempt 1
	// attempt 2
	// attempt 3
}

// Two clients of one service share what they may add to its load.
func ExampleNewBudget() {
	shared := retry.NewBudget(retry.BudgetConfig{Floor: 0.1}) // one token in ten seconds
	read := retry.New(retry.Config{Name: "read", Backoff: retry.Constant(0), Budget: shared})
	write := retry.New(retry.Config{Name: "write", Backoff: retry.Constant(0), Budget: shared})
	fails := func(context.Context) error { return io.ErrUnexpectedEOF }
	for _, p := range []*retry.Policy{read, write} {
		err := p.Do(context.Background(), fails)
		failed, _ := errors.AsType[*retry.ExhaustedError](err)
		fmt.Println(failed.Name, len(failed.Attempts), "attempts:", failed.Reason)
	}
	// Output:
	// read 2 attempts: retry: budget used up
	// write 1 attempts: retry: budget used up
}
