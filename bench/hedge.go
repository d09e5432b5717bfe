package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

// A hedging is what hedges are made of: when to start another run, and of what.
type hedging struct {
	delay time.Duration
	load  func(ctx context.Context, id int) (user, error)
}

func hedgeRows() []row {
	rivals := hedges()
	return []row{
		{"hedge/at-once", "hedge that does not fire", contenders(rivals, hedging{time.Hour, load}, answers, checkHedges)},
		{"hedge/done", "hedge that does not fire, the function asks for ctx.Done()", contenders(rivals, hedging{time.Hour, loadAsksDone}, answers, checkHedges)},
	}
}

func hedges() []rival[hedging, query] {
	return []rival[hedging, query]{
		{"mettle", func(_ *bed, h hedging) query {
			p := hedge.New(hedge.Config{Delay: h.delay})
			return func(ctx context.Context, id int) (user, error) {
				return mettle.Call(ctx, p, func(ctx context.Context) (user, error) { return h.load(ctx, id) })
			}
		}},
		{"by hand, does not wait for the loser", func(_ *bed, h hedging) query { return byHandHedge(h) }},
		{"failsafe-go, does not wait for the loser", func(_ *bed, h hedging) query {
			ex := failsafe.With(hedgepolicy.NewWithDelay[user](h.delay))
			return func(ctx context.Context, id int) (user, error) {
				return ex.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[user]) (user, error) { return h.load(e.Context(), id) })
			}
		}},
	}
}

// byHandHedge is a hedge as one writes it without a library: goroutines, a timer and a channel.
func byHandHedge(h hedging) query {
	return func(ctx context.Context, id int) (user, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type result struct {
			u   user
			err error
		}
		results := make(chan result, 2)
		run := func() {
			u, err := h.load(ctx, id)
			results <- result{u, err}
		}
		go run()
		timer := time.NewTimer(h.delay)
		defer timer.Stop()
		for running := 1; ; {
			select {
			case r := <-results:
				if running--; r.err == nil || running == 0 {
					return r.u, r.err
				}
			case <-timer.C:
				running++
				go run()
			}
		}
	}
}

// checkHedges returns an error unless a fast call runs once, and a slow one is overtaken by a second run and canceled.
func checkHedges(build func(hedging) query) error {
	ctx, cancel := request()
	defer cancel()
	var runs atomic.Int64
	fast := build(hedging{time.Hour, func(_ context.Context, id int) (user, error) {
		runs.Add(1)
		return user{ID: id}, nil
	}})
	if u, err := fast(ctx, 7); err != nil || u.ID != 7 || runs.Load() != 1 {
		return fmt.Errorf("a fast call returned %v and %v after %d runs, want its value after one", u, err, runs.Load())
	}
	runs.Store(0)
	canceled := make(chan struct{})
	slow := build(hedging{time.Millisecond, func(ctx context.Context, id int) (user, error) {
		if runs.Add(1) == 1 {
			select {
			case <-ctx.Done():
				close(canceled)
			case <-time.After(patience):
			}
			return user{}, context.Cause(ctx)
		}
		return user{ID: id}, nil
	}})
	u, err := slow(ctx, 8)
	if err != nil || u.ID != 8 || runs.Load() != 2 {
		return fmt.Errorf("a slow call returned %v and %v after %d runs, want its value after two", u, err, runs.Load())
	}
	select {
	case <-canceled:
		return nil
	case <-time.After(patience):
		return errors.New("did not cancel the run that lost")
	}
}
