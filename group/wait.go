package group

import (
	"context"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/internal/discard"
)

// ErrPending is the cause of the context of a function for which the time of Wait was up. It is context.DeadlineExceeded
// to errors.Is.
var ErrPending = fmt.Errorf("group: pending: %w", context.DeadlineExceeded)

// Wait runs all fns at the same time, for d at most, and returns how those ended that did, and the indexes of the others
// in ascending order: one timeout for all.
//
// A function that has returned within d is in done, by its index in fns, with what it returned: its error, or else its
// value. One that fails leaves the others running, and so does a panic, which is that function's *PanicError. When d is
// over the others are canceled, with the cause ErrPending; they see d as the deadline of their context. Wait returns when
// all have ended, so one that does not heed its context keeps it waiting. What they return is dropped: a value that has a
// method Close() error or Close(), and is no nil pointer, is closed, and an error of Close is ignored. Only one that
// panics, or calls runtime.Goexit, is in done even if it does so late: no panic goes unnoticed.
//
// The end of ctx is as that of d, but with the cause of ctx. If ctx has ended already, or d is 0, nothing is started, and
// all are pending. Together done and pending always name each function once; done is never nil.
//
// Each function runs in a goroutine of Wait's; one that ended early may be followed by another in the same. Wait panics if
// d is negative or a function is nil.
func Wait[R any](ctx context.Context, d time.Duration, fns ...func(context.Context) (R, error)) (done map[int]Result[R], pending []int) {
	if d < 0 {
		panic(fmt.Sprintf("group: Wait: d is %v, want 0 or more", d))
	}
	mustBeFuncs("Wait", fns)
	ctx, cancel := context.WithTimeoutCause(ctx, d, ErrPending)
	defer cancel()
	indexes := make([]int, len(fns))
	open := make([]bool, len(fns)) // never started, or late
	for i := range fns {
		indexes[i], open[i] = i, true
	}
	results := settle(ctx, indexes, Config{Limit: len(fns)}, func(ctx context.Context, i int) (R, error) {
		open[i] = false
		v, err := fns[i](ctx)
		if ctx.Err() != nil {
			if err == nil {
				discard.Close(v)
			}
			open[i] = true // after a Close that panics it is not
		}
		return v, err
	})
	done = make(map[int]Result[R], len(fns))
	for i, result := range results {
		if open[i] {
			pending = append(pending, i)
		} else {
			done[i] = result
		}
	}
	return done, pending
}
