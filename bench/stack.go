package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/failsafe-go/failsafe-go"
	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// stacked is what the composed policies are made of: up to four attempts, of which each asks the breaker, takes a place, and has after to
// end.
type stacked struct {
	wait   time.Duration // the longest first wait; it doubles
	places int
	after  time.Duration
	load   func(ctx context.Context, id int) (user, error)
}

const stackTries = 4

func (s stacked) with(load func(context.Context, int) (user, error)) stacked { s.load = load; return s }

var usual = stacked{wait: time.Millisecond, places: 32, after: time.Minute, load: load}

func stackRows() []row {
	rivals := stacks()
	const what = "retry, breaker, bulkhead and timeout, composed"
	return []row{
		{"stack/at-once", what, contenders(rivals, usual, answers, checkStack)},
		{"stack/done", what + ", the function asks for ctx.Done()", contenders(rivals, usual.with(loadAsksDone), answers, checkStack)},
	}
}

func stacks() []rival[stacked, query] {
	return []rival[stacked, query]{
		{"mettle", func(_ *bed, s stacked) query {
			stack := mettle.Compose(
				retry.New(retry.Config{Attempts: stackTries, Backoff: retry.Backoff{Base: s.wait}}),
				breaker.New(breaker.Config{}),
				bulkhead.New(bulkhead.Config{Limit: s.places, Queue: 64}),
				timeout.After(s.after),
			)
			return func(ctx context.Context, id int) (user, error) {
				return mettle.Call(ctx, stack, func(ctx context.Context) (user, error) { return s.load(ctx, id) })
			}
		}},
		{"by hand, with gobreaker and x/sync semaphore", func(_ *bed, s stacked) query { return byHandStack(s) }},
		{"backoff, gobreaker, x/sync semaphore, context", func(_ *bed, s stacked) query {
			attempt := guarded(s)
			return func(ctx context.Context, id int) (user, error) {
				return backoff.Retry(ctx, func() (user, error) {
					u, err := attempt(ctx, id)
					if shut(err) {
						err = backoff.Permanent(err)
					}
					return u, err
				}, backoff.WithMaxTries(stackTries), backoff.WithBackOff(backOff(s.wait)))
			}
		}},
		{"failsafe-go", func(_ *bed, s stacked) query {
			ex := failsafe.With[user](
				// By default it would try again what an open breaker rejects.
				retrypolicy.NewBuilder[user]().WithMaxAttempts(stackTries).WithBackoff(s.wait, time.Second).AbortOnErrors(circuitbreaker.ErrOpen).Build(),
				circuitbreaker.NewBuilder[user]().WithFailureThreshold(5).Build(),
				failsafebulkhead.NewBuilder[user](uint(s.places)).WithMaxWaitTime(time.Hour).Build(),
				failsafetimeout.New[user](s.after),
			)
			return func(ctx context.Context, id int) (user, error) {
				return ex.WithContext(ctx).GetWithExecution(func(e failsafe.Execution[user]) (user, error) { return s.load(e.Context(), id) })
			}
		}},
	}
}

// byHandStack is what a careful engineer writes with the libraries at hand and a loop.
func byHandStack(s stacked) query {
	attempt := guarded(s)
	return func(ctx context.Context, id int) (user, error) {
		for n := 0; ; n++ {
			u, err := attempt(ctx, id)
			if err == nil || n+1 == stackTries || shut(err) || ctx.Err() != nil {
				return u, err
			}
			if pause(ctx, s.wait<<n) != nil {
				return user{}, err
			}
		}
	}
}

// guarded is one attempt: breaker, place, time limit.
func guarded(s stacked) query {
	cb := gobreaker.NewCircuitBreaker[user](gobreaker.Settings{})
	places := semaphore.NewWeighted(int64(s.places))
	return func(ctx context.Context, id int) (user, error) {
		return cb.Execute(func() (user, error) {
			if err := places.Acquire(ctx, 1); err != nil {
				return user{}, err
			}
			defer places.Release(1)
			ctx, cancel := context.WithTimeout(ctx, s.after)
			defer cancel()
			return s.load(ctx, id)
		})
	}
}

// shut reports whether err is a gobreaker's rejection.
func shut(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// checkStack returns an error unless each of the four policies does its part.
func checkStack(build func(stacked) query) error {
	ctx, cancel := request()
	defer cancel()
	for _, c := range []struct {
		part  string
		check func(context.Context, func(stacked) query) error
	}{
		{"retry", stackRetries}, {"breaker", stackTrips}, {"bulkhead", stackLimits}, {"timeout", stackTimesOut},
	} {
		if err := c.check(ctx, build); err != nil {
			return fmt.Errorf("%s: %w", c.part, err)
		}
	}
	return nil
}

func stackRetries(ctx context.Context, build func(stacked) query) error {
	for failures := range stackTries + 1 {
		runs := 0
		u, err := build(usual.with(func(_ context.Context, id int) (user, error) {
			if runs++; runs <= failures {
				return user{}, errDown
			}
			return user{ID: id}, nil
		}))(ctx, 7)
		if want := min(failures+1, stackTries); runs != want {
			return fmt.Errorf("made %d attempts where %d fail, want %d", runs, failures, want)
		}
		if failures < stackTries && (err != nil || u.ID != 7) || failures >= stackTries && !errors.Is(err, errDown) {
			return fmt.Errorf("returned %v and %v after %d failures", u, err, failures)
		}
	}
	return nil
}

func stackTrips(ctx context.Context, build func(stacked) query) error {
	runs := 0
	s := usual.with(func(context.Context, int) (user, error) { runs++; return user{}, errDown })
	s.wait = time.Microsecond
	get := build(s)
	for range 50 {
		get(ctx, 7)
	}
	before := runs
	if _, err := get(ctx, 7); runs != before || err == nil {
		return fmt.Errorf("made %d attempts after 50 failed calls, want none", runs-before)
	}
	return nil
}

func stackLimits(ctx context.Context, build func(stacked) query) error {
	s := usual
	s.places = 2
	var get query
	depth, deepest := 0, 0
	get = build(s.with(func(_ context.Context, id int) (user, error) {
		depth++
		defer func() { depth-- }()
		if deepest = max(deepest, depth); depth > s.places {
			return user{ID: id}, nil
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		get(short, id)
		return user{ID: id}, nil
	}))
	if _, err := get(ctx, 7); err != nil || deepest != 2 {
		return fmt.Errorf("%d calls within calls took the 2 places, error %v", deepest, err)
	}
	return nil
}

func stackTimesOut(ctx context.Context, build func(stacked) query) error {
	s := usual.with(func(ctx context.Context, id int) (user, error) {
		select {
		case <-ctx.Done():
			return user{}, ctx.Err()
		case <-time.After(patience):
			return user{ID: id}, nil
		}
	})
	s.after = time.Millisecond
	if _, err := build(s)(ctx, 7); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, failsafetimeout.ErrExceeded) {
		return errors.New("a call whose time was up " + errorText(err))
	}
	return nil
}
