// Package layer runs a function under one policy without making a closure.
//
// A mettle.Stack and the policies' own Do methods share these functions. Each takes the policy as
// an interface that only decides, and the function as a parameter that is only called: it
// reaches no interface and no heap object, so that the caller's closures stay on the stack.
//
// The clock is read at most once before fn and handed inward as now. It is clock.Unread where nobody
// needed the time yet, or where a layer may have waited since.
package layer

import (
	"context"
	"errors"
	"math"

	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/core/retry"
	"github.com/mettle-go/mettle/internal/deadline"
)

// ErrUnfinished is mettle.ErrUnfinished.
var ErrUnfinished = errors.New("mettle: function did not return (panic or runtime.Goexit)")

// A Gate admits or rejects.
type Gate interface {
	// AcquireAt admits the call, which then ends with one Release of the token, or rejects it. It
	// returns the latest clock reading: now, or its own, or clock.Unread if it waited.
	AcquireAt(ctx context.Context, now clock.Instant) (token uint64, at clock.Instant, err error)
	Release(ctx context.Context, token uint64, err error)
}

// A Retrier decides after each attempt whether there is another.
type Retrier interface {
	// Begin hears of a call that begins at now. It returns the latest clock reading.
	Begin(now clock.Instant) clock.Instant
	// Next hears that an attempt, begun at started, ended with err. It returns a run when there is to be another
	// attempt, after having waited, and the instant at which that one begins; else no run and the error of the call. It takes
	// nil after the first attempt, and then the run it returned; a Next with a nil err ends the run.
	Next(ctx context.Context, run *retry.Run, started clock.Instant, err error) (*retry.Run, clock.Instant, error)
}

// A Bounder limits how long a call may take.
type Bounder interface {
	// Bound returns the context of a call that begins at now, and the clock reading it used.
	Bound(ctx context.Context, now clock.Instant) (*deadline.Context, clock.Instant)
}

// A Pinner stands for a policy that may come and go, one of many that somebody keeps by key.
type Pinner interface {
	// Pin returns the policy to run this call, which stays in its place until Unpin, or rejects the call. It returns the
	// latest clock reading: now, or clock.Unread if that has become stale.
	Pin(ctx context.Context, now clock.Instant) (p Policy, pin Unpinner, at clock.Instant, err error)
}

// An Unpinner hears once that the call has ended.
type Unpinner interface{ Unpin() }

// Policy is mettle.Policy.
type Policy interface {
	Do(ctx context.Context, fn func(context.Context) error) error
}

// Gated runs next under g. The permit comes back by defer: also when next panics or ends its goroutine.
func Gated[T any](ctx context.Context, g Gate, now clock.Instant, next func(context.Context, clock.Instant) (T, error)) (v T, err error) {
	token, now, err := g.AcquireAt(ctx, now)
	if err != nil {
		return v, err
	}
	err = ErrUnfinished
	defer func() { g.Release(ctx, token, err) }()
	return next(ctx, now)
}

// Retried runs next under r, in the caller's goroutine.
func Retried[T any](ctx context.Context, r Retrier, now clock.Instant, next func(context.Context, clock.Instant) (T, error)) (T, error) {
	now = r.Begin(now)
	v, err := next(First(ctx), now)
	if err == nil {
		return v, nil
	}
	return Again(ctx, r, now, err, next)
}

// Again makes all attempts but the first, which began at now and ended with failure, or none if r says so.
func Again[T any](ctx context.Context, r Retrier, now clock.Instant, failure error, next func(context.Context, clock.Instant) (T, error)) (v T, err error) {
	run, now, err := r.Next(ctx, nil, now, failure)
	if run == nil {
		return v, err
	}
	retrying.Add(1)
	defer retrying.Add(-1)
	numbered := &attempt{Context: ctx}
	for {
		numbered.n.Store(int32(min(run.N(), math.MaxInt32-1) + 1))
		if v, err = next(numbered, now); err == nil {
			r.Next(ctx, run, now, nil)
			return v, nil
		}
		if run, now, err = r.Next(ctx, run, now, err); run == nil {
			return v, err
		}
	}
}

// Bounded runs next under b. The context ends by defer: also when next panics.
func Bounded[T any](ctx context.Context, b Bounder, now clock.Instant, next func(context.Context, clock.Instant) (T, error)) (v T, err error) {
	bound, now := b.Bound(ctx, now)
	defer func() { err = bound.End(err) }()
	return next(bound, now)
}
