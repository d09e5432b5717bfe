package mettletest

import (
	"context"
	"errors"

	"github.com/mettle-go/mettle"
)

var errToy = errors.New("toy: full")

// toyGate has places and a queue without end. Of its faults at most one is set.
type toyGate struct {
	places chan struct{}
	queue  bool

	runsAnyway, bareError, permitBeside                    bool // on a rejection
	leaksOnPanic, leaksOnError, leaksOnGoexit              bool
	leaksUnfinished, leaksOnDone, freeAcquire, staysInLine bool
	twice, wraps, otherContext, deafWaiter                 bool
}

func (g *toyGate) enter(ctx context.Context) error {
	select {
	case g.places <- struct{}{}:
		return nil
	default:
	}
	err := errToy
	if g.queue {
		done := ctx.Done()
		if g.deafWaiter {
			done = nil
		}
		select {
		case g.places <- struct{}{}:
			return nil
		case <-done:
			err = ctx.Err()
		}
		if g.staysInLine {
			go func() { g.places <- struct{}{} }()
		}
	}
	if g.bareError {
		return err
	}
	return mettle.Reject("toy", "", err, nil)
}

func (g *toyGate) Acquire(ctx context.Context) (mettle.Permit, error) {
	if g.freeAcquire {
		return mettle.Permit{}, nil
	}
	permit := mettle.NewPermit(ctx, g, 0)
	if err := g.enter(ctx); err != nil {
		if g.permitBeside {
			return permit, err
		}
		return mettle.Permit{}, err
	}
	return permit, nil
}

func (g *toyGate) Release(_ context.Context, _ uint64, err error) {
	if g.leaksOnDone || g.leaksUnfinished && err == mettle.ErrUnfinished {
		return
	}
	<-g.places
}

func (g *toyGate) Do(ctx context.Context, fn function) error {
	if err := g.enter(ctx); err != nil {
		if g.runsAnyway {
			fn(ctx)
		}
		return err
	}
	switch {
	case g.leaksOnError:
		if err := fn(ctx); err != nil {
			return err
		}
		<-g.places
		return nil
	case g.leaksOnPanic:
		err := fn(ctx)
		<-g.places
		return err
	case g.leaksOnGoexit:
		defer func() {
			if v := recover(); v != nil {
				<-g.places
				panic(v)
			}
		}()
		err := fn(ctx)
		<-g.places
		return err
	}
	defer func() { <-g.places }()
	if g.otherContext {
		ctx = context.WithValue(ctx, errToy, errToy)
	}
	err := fn(ctx)
	if g.twice && err != nil {
		err = fn(ctx)
	}
	if g.wraps && err != nil {
		err = mettle.Permanent(err)
	}
	return err
}

// toys returns the Config of a gate with two places and the faults that change sets.
func toys(queue bool, change func(*toyGate)) Config {
	return Config{
		New: func(mettle.Observer) mettle.Policy {
			g := &toyGate{places: make(chan struct{}, 2), queue: queue}
			change(g)
			return g
		},
		Rejecting: func(mettle.Observer) mettle.Policy {
			g := &toyGate{places: make(chan struct{})}
			change(g)
			return g
		},
	}
}
