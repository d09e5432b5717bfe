package group

import (
	"context"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/deadline"
)

// Cleanup runs fn with a context that has the values of ctx, is not canceled when ctx is, and ends after d. It is for what
// has to be done also, or only, because ctx has ended: to roll back, to hand work back, to say goodbye to a peer.
//
//	defer func() {
//		err = errors.Join(err, group.Cleanup(ctx, 5*time.Second, tx.Rollback))
//	}()
//
// Cleanup runs fn in the caller's goroutine and returns what it returns; a scope waits for it as for the rest of the task.
// If fn fails because the time was up, the error is a *CleanupError, as is the cause of its context. That is a failure of
// the task also in a scope that was canceled. A panic of fn passes through. Cleanup panics if d is not more than 0 or fn is nil.
//
// It costs a clock read and a few small allocations; there is no timer until fn asks for ctx.Done.
func Cleanup(ctx context.Context, d time.Duration, fn func(context.Context) error) (err error) {
	if d <= 0 {
		panic(fmt.Sprintf("group: Cleanup: d is %v, want more than 0", d))
	}
	if fn == nil {
		panic("group: Cleanup: fn is nil, want a function")
	}
	limit := &deadline.Limit{
		After:    d,
		Cause:    &CleanupError{After: d},
		Exceeded: func(_ context.Context, err error) error { return &CleanupError{After: d, Err: err} },
	}
	// Without the cancellation there is no deadline of ctx either that could come first.
	own := deadline.New(context.WithoutCancel(ctx), limit, clock.Now())
	defer func() { err = own.End(err) }() // also when fn panics
	return fn(own)
}

// A CleanupError says that a function given to Cleanup did not end well in the time that it had.
type CleanupError struct {
	After time.Duration // the time that it had
	Err   error         // what the function returned; nil in the cause of its context
}

// Error tells the time and what the function returned in one line.
func (e *CleanupError) Error() string {
	text := fmt.Sprintf("group: clean-up: time was up after %v", e.After)
	if own, ok := e.Err.(*CleanupError); ok && own.Err == nil || e.Err == nil || e.Err == context.DeadlineExceeded {
		return text // Err says the same
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *CleanupError) Unwrap() error { return e.Err }

// Is reports whether target is context.DeadlineExceeded.
func (e *CleanupError) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout is true: net.Error and its like ask for it.
func (e *CleanupError) Timeout() bool { return true }
