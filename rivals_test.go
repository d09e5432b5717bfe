package mettle_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

var errDown = errors.New("down")

func nothing(context.Context) error { return nil }

func down(context.Context) error { return errDown }

// hang heeds its context and nothing else.
func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

type key struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

// pass is the least that a foreign policy can be.
var pass = mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) })

// detach is a policy that hands on a context of its own.
var detach = mettle.PolicyFunc(func(_ context.Context, fn func(context.Context) error) error {
	return fn(context.Background())
})

// rivals is a policy as users may write it: it starts as many runs at once, cancels the rest when one succeeds,
// waits for all, and keeps the first that succeeded.
type rivals int

func (r rivals) Do(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		branch *mettle.Branch
		err    error
	}
	ends := make(chan end, r)
	for range r {
		branched, b := mettle.Fork(ctx)
		go func() { ends <- end{b, fn(branched)} }()
	}
	var won *mettle.Branch
	var err error
	for range r {
		switch e := <-ends; {
		case e.err != nil:
			err = e.err
		case won == nil:
			won = e.branch
			cancel()
		}
	}
	if won == nil {
		return err
	}
	won.Keep()
	return nil
}

// gate is a Gate as users may write it: it counts who is inside, and what it hears from those who leave.
type gate struct {
	inside atomic.Int64
	full   bool
	wait   time.Duration
	heard  []error
}

var errGate = errors.New("gate: shut")

func (g *gate) Acquire(ctx context.Context) (mettle.Permit, error) {
	if g.full {
		return mettle.Permit{}, mettle.Reject("gate", "", errGate, nil)
	}
	time.Sleep(g.wait) // in bubbles only
	return mettle.NewPermit(ctx, g, uint64(g.inside.Add(1))), nil
}

func (g *gate) Release(_ context.Context, _ uint64, err error) {
	g.inside.Add(-1)
	g.heard = append(g.heard, err)
}

func (g *gate) Do(ctx context.Context, fn func(context.Context) error) error {
	permit, err := g.Acquire(ctx)
	if err != nil {
		return err
	}
	err = mettle.ErrUnfinished
	defer func() { permit.Done(err) }()
	err = fn(ctx)
	return err
}
