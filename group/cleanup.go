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
// Cleanup runs fn in the caller's goroutine; a scope waits for it as for the rest of the task. If fn fails, the error is a
// *CleanupError, which is a failure of the task also in a scope that was canceled, and joined with the cancellation. A
// panic of fn passes through. Cleanup panics if d is not more than 0 or fn is nil.
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
	defer func() { // also when fn panics
		err = own.End(err)
		if _, ok := err.(*CleanupError); err != nil && !ok {
			err = &CleanupError{Err: err}
		}
	}()
	return fn(own)
}

// A CleanupError says that a function given to Cleanup failed. It is also the cause of the function's context when its time is up.
type CleanupError struct {
	After time.Duration // the time that was up; 0 if the function failed by itself
	Err   error         // what the function returned; nil in the cause of its context
}

// Error tells what the function returned, and whether its time was up, in one line.
func (e *CleanupError) Error() string {
	if e.After == 0 {
		return "group: clean-up: " + e.Err.Error()
	}
	text := fmt.Sprintf("group: clean-up: time was up after %v", e.After)
	if own, ok := e.Err.(*CleanupError); ok && own.Err == nil || e.Err == nil || e.Err == context.DeadlineExceeded {
		return text // Err says the same
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *CleanupError) Unwrap() error { return e.Err }

// Is reports whether target is context.DeadlineExceeded and the time was up.
func (e *CleanupError) Is(target error) bool {
	return e.Timeout() && target == context.DeadlineExceeded
}

// Timeout reports whether the time was up, for those who ask as they do with a net.Error.
func (e *CleanupError) Timeout() bool { return e.After > 0 }
