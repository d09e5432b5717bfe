package mettle

import (
	"context"

	"github.com/mettle-go/mettle/internal/layer"
)

// A Policy decides whether, when and how often to run fn.
//
// Do runs fn any number of times, none included, and returns nil if the call succeeded. The error
// it returns wraps fn's error, or is a *RejectedError if fn did not run at all. Each run gets a
// context derived from ctx. Do returns only when every run it started has ended.
//
// A Policy is built once, shared by every goroutine, and carries no result type, so that one
// breaker serves every call to a dependency; result types live in Call, Bind, Wrap and Fallback.
// Anybody can write one; PolicyFunc makes one of a function. A policy that lets runs overlap calls
// Fork for each, or their results would race.
type Policy interface {
	Do(ctx context.Context, fn func(context.Context) error) error
}

// PolicyFunc makes a Policy of an ordinary function.
type PolicyFunc func(ctx context.Context, fn func(context.Context) error) error

// Do calls f.
func (f PolicyFunc) Do(ctx context.Context, fn func(context.Context) error) error { return f(ctx, fn) }

// A Gate is a Policy that only admits or rejects, once a call, and leaves the running to its
// caller. Its two-step form serves streams and hand-written flow:
//
//	permit, err := gate.Acquire(ctx)
//	if err != nil {
//		return err // a *RejectedError: nothing ran
//	}
//	err = errWalkedAway // what Done hears if the code below panics
//	defer func() { permit.Done(err) }()
//	err = stream(ctx)
type Gate interface {
	Policy
	// Acquire admits the caller, waiting if the gate has a queue, or returns a *RejectedError.
	Acquire(ctx context.Context) (Permit, error)
}

// A Permit is the right to one call, given by a Gate. It is a small value that may be copied and
// handed to another goroutine. The zero Permit stands for a gate that keeps no count.
type Permit struct {
	ctx   context.Context
	to    Releaser
	token uint64
}

// A Releaser takes permits back. Release gets the context and the token that NewPermit was given,
// and how the call ended: nil, its error, or ErrUnfinished. It must not block.
type Releaser interface {
	Release(ctx context.Context, token uint64, err error)
}

// NewPermit makes a permit whose Done calls to.Release with ctx and token. It is for gates written
// outside this module; it does not allocate.
func NewPermit(ctx context.Context, to Releaser, token uint64) Permit {
	return Permit{ctx: ctx, to: to, token: token}
}

// Done gives the permit back and tells the gate how the call ended. Call it exactly once for each
// permit, from any goroutine: a second Done of the same permit, or of a copy, gives back a place
// that belongs to somebody else. On the zero Permit it does nothing.
func (p Permit) Done(err error) {
	if p.to != nil {
		p.to.Release(p.ctx, p.token, err)
	}
}

// ErrUnfinished is what a gate hears of a call that never returned because its function panicked or
// ended its goroutine by runtime.Goexit. The panic itself goes on its way, neither recovered nor
// wrapped. Callers never see ErrUnfinished.
var ErrUnfinished = layer.ErrUnfinished
