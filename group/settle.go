package group

import (
	"context"

	"github.com/mettle-go/mettle"
)

// A Result is how one item or function ended: with a Value, or with an Err, beside which Value is the zero value of R.
type Result[R any] struct {
	Value R
	Err   error
}

// Settle calls fn for each item, at most cfg.Limit at a time (8 if that is 0), and returns one result an item, in the
// order of the items. It is for batches in which some items may fail: nothing is an error of the whole.
//
// Err is nil if the item succeeded; else what its call returned, or its *PanicError, or ErrGoexit.
//
// With MaxFailures 0 or -1 every item is tried, and a panic is that item's failure and no other's. With MaxFailures n
// the nth failure, panics included, cancels the rest, and so does the end of ctx: the Err of an item that was running
// is what it returned then, which is the cancellation for most functions, and that of an item that was never started
// is ErrNotStarted. Whether ctx has ended is for the caller to ask of ctx.
//
// All else is as in Map. Settle panics if cfg.Validate has an error, cfg.Unordered is set or fn is nil.
func Settle[T, R any](ctx context.Context, items []T, cfg Config, fn func(context.Context, T) (R, error)) []Result[R] {
	cfg.mustBeValid()
	cfg.mustBeOrdered("Settle")
	if fn == nil {
		panic("group: Settle: fn is nil, want a function")
	}
	if cfg.Policy != nil {
		fn = mettle.Wrap(cfg.Policy, fn)
	}
	return settle(ctx, items, cfg, fn)
}

// settle is Settle but for the Policy, which is around fn already.
func settle[T, R any](ctx context.Context, items []T, cfg Config, fn func(context.Context, T) (R, error)) []Result[R] {
	if cfg.MaxFailures == 0 {
		cfg.MaxFailures = -1
	}
	m := &mapping[T, Result[R]]{
		items:   items,
		results: make([]Result[R], len(items)),
		fn: func(ctx context.Context, item T) (Result[R], error) {
			v, err := fn(ctx, item)
			return Result[R]{Value: v}, err
		},
	}
	m.settles = true
	if e := m.run(ctx, cfg); e != nil {
		for _, missed := range e.missed {
			m.results[missed.Index].Err = missed.Err
		}
		for i := e.started; i < len(items); i++ {
			m.results[i].Err = ErrNotStarted
		}
	}
	return m.results
}
