package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// The checks are worth as much as what they catch. An impostor does nearly what a row says.

type impostor struct {
	name  string
	check func() error
}

func pass(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func rejectAll(context.Context, func(context.Context) error) error { return errFull }

// admitting returns an act that lets n calls through and rejects the rest.
func admitting(n int) act {
	return func(ctx context.Context, fn func(context.Context) error) error {
		if n--; n < 0 {
			return errLimited
		}
		return fn(ctx)
	}
}

// attempts returns an act that calls its function up to n times.
func attempts(n int) act {
	return func(ctx context.Context, fn func(context.Context) error) (err error) {
		for range n {
			if err = fn(ctx); err == nil {
				return nil
			}
		}
		return err
	}
}

// places returns an act with limit places, which waits for one, unless impatient, and gives it back, unless it leaks.
func places(limit int, impatient, leaks bool) act {
	free := make(chan struct{}, limit)
	return func(ctx context.Context, fn func(context.Context) error) error {
		if impatient {
			select {
			case free <- struct{}{}:
			default:
				return errFull
			}
		}
		if !impatient {
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := fn(ctx)
		if !leaks || err == nil {
			<-free
		}
		return err
	}
}

// always makes the same impostor whatever the parameter.
func always[P, Op any](op Op) func(P) Op { return func(P) Op { return op } }

func actImpostors() []impostor {
	limits := func(limit func(int) int, impatient, leaks bool) func() error {
		return func() error {
			return checkLimits(func(n int) act { return places(limit(n), impatient, leaks) })
		}
	}
	same := func(n int) int { return n }
	return []impostor{
		{"passes: runs it twice", func() error {
			return passes(func(ctx context.Context, fn func(context.Context) error) error { fn(ctx); return fn(ctx) })
		}},
		{"passes: swallows the error", func() error {
			return passes(func(ctx context.Context, fn func(context.Context) error) error { fn(ctx); return nil })
		}},
		{"passes: loses the context", func() error {
			return passes(func(_ context.Context, fn func(context.Context) error) error { return fn(context.Background()) })
		}},
		{"turnsAway: runs and then rejects", func() error {
			return turnsAway(t0, func(ctx context.Context, fn func(context.Context) error) error { fn(ctx); return errFull })
		}},
		{"turnsAway: drops the call without an error", func() error {
			return turnsAway(t0, func(context.Context, func(context.Context) error) error { return nil })
		}},
		{"breaker: never opens", func() error { return checkTrips(always[phase](act(pass))) }},
		{"breaker: never closed", func() error { return checkTrips(always[phase](act(rejectAll))) }},
		{"breaker: opens without a failure", func() error { return checkTrips(func(phase) act { return admitting(50) }) }},
		{"breaker: admits while open", func() error { return checkStaysShut(open)(always[phase](act(pass))) }},
		{"breaker: rejects in any state", func() error { return checkStaysShut(halfOpen)(always[phase](act(rejectAll))) }},
		{"bulkhead: without a limit", func() error { return checkLimits(always[int](act(pass))) }},
		{"bulkhead: one place too many", limits(func(n int) int { return n + 1 }, false, false)},
		{"bulkhead: one place too few", limits(func(n int) int { return max(1, n-1) }, false, false)},
		{"bulkhead: does not wait", limits(same, true, false)},
		{"bulkhead: leaks the places of failures", limits(same, false, true)},
		{"bulkhead: not full", func() error { return checkFull(always[bool](act(pass))) }},
		{"bulkhead: always full", func() error { return checkFull(always[bool](act(rejectAll))) }},
		{"rate limit: none", func() error { return checkQuota(always[quota](act(pass))) }},
		{"rate limit: one too many", func() error { return checkQuota(func(q quota) act { return admitting(q.n + 1) }) }},
		{"rate limit: one too few", func() error {
			return checkQuota(func(q quota) act { return admitting(max(1, q.n-1)) })
		}},
		{"retry: one attempt", func() error { return checkRetries(always[time.Duration](act(pass))) }},
		{"retry: one too few", func() error { return checkRetries(always[time.Duration](attempts(tries - 1))) }},
		{"retry: one too many", func() error { return checkRetries(always[time.Duration](attempts(tries + 1))) }},
		{"retry: gives up without an error", func() error {
			return checkRetries(always[time.Duration](act(func(ctx context.Context, fn func(context.Context) error) error {
				attempts(tries)(ctx, fn)
				return nil
			})))
		}},
		{"timeout: never", func() error { return checkTimesOut(always[time.Duration](act(pass))) }},
		{"timeout: at once", func() error {
			return checkTimesOut(always[time.Duration](act(func(ctx context.Context, fn func(context.Context) error) error {
				ctx, cancel := context.WithTimeout(ctx, 0)
				defer cancel()
				return fn(ctx)
			})))
		}},
		{"timeout: too early", func() error {
			return checkTimesOut(func(d time.Duration) act {
				return func(ctx context.Context, fn func(context.Context) error) error {
					ctx, cancel := context.WithTimeout(ctx, d/2)
					defer cancel()
					return fn(ctx)
				}
			})
		}},
		{"timeout: nobody learns of it", func() error {
			return checkTimesOut(func(d time.Duration) act {
				return func(ctx context.Context, fn func(context.Context) error) error {
					ctx, cancel := context.WithTimeout(ctx, d)
					defer cancel()
					if err := fn(ctx); err != context.DeadlineExceeded {
						return err
					}
					return nil
				}
			})
		}},
		{"clock: stopped", func() error { return checkReading(always[struct{}](reading(func(time.Time) bool { return true }))) }},
	}
}

var t0 = context.Background()

// without returns the stack by hand, less one of its parts.
func without(part string) func(stacked) query {
	return func(s stacked) query {
		whole := s
		switch part {
		case "retry":
			return guarded(s)
		case "bulkhead":
			whole.places = 1 << 20
		case "timeout":
			whole.after = time.Hour
		case "breaker":
			return func(ctx context.Context, id int) (u user, err error) {
				// One of each is built for each attempt, as beginners do: then it sees no second result.
				for range stackTries {
					if u, err = guarded(s)(ctx, id); err == nil {
						break
					}
				}
				return u, err
			}
		}
		return byHandStack(whole)
	}
}

func queryImpostors() []impostor {
	list := []impostor{
		{"hedge: never", func() error { return checkHedges(func(h hedging) query { return h.load }) }},
		{"hedge: at once", func() error {
			return checkHedges(func(h hedging) query { h.delay = 0; return atOnce(h) })
		}},
		{"hedge: lets the loser run on", func() error {
			return checkHedges(func(h hedging) query {
				load := h.load
				h.load = func(ctx context.Context, id int) (user, error) { return load(context.WithoutCancel(ctx), id) }
				return byHandHedge(h)
			})
		}},
		{"hedge: loses the value", func() error {
			return checkHedges(func(h hedging) query {
				return func(ctx context.Context, id int) (user, error) { _, err := byHandHedge(h)(ctx, id); return user{}, err }
			})
		}},
	}
	for _, part := range []string{"retry", "breaker", "bulkhead", "timeout"} {
		list = append(list, impostor{"stack: no " + part, func() error { return checkStack(without(part)) }})
	}
	return list
}

// atOnce runs everything twice.
func atOnce(h hedging) query {
	return func(ctx context.Context, id int) (user, error) {
		h.load(ctx, id)
		return h.load(ctx, id)
	}
}

func TestChecksCatchImpostors(t *testing.T) {
	for _, i := range append(actImpostors(), queryImpostors()...) {
		t.Run(i.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := i.check(); err == nil {
					t.Error("the check found nothing wrong")
				}
			})
		})
	}
}

// What the impostors are made from would pass.
func TestChecksPassWhatImpostorsImitate(t *testing.T) {
	for name, check := range map[string]func() error{
		"bulkhead":   func() error { return checkLimits(func(n int) act { return places(n, false, false) }) },
		"rate limit": func() error { return checkQuota(func(q quota) act { return admitting(q.n) }) },
		"retry":      func() error { return checkRetries(always[time.Duration](attempts(tries))) },
		"hedge":      func() error { return checkHedges(byHandHedge) },
		"stack":      func() error { return checkStack(without("")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			if err := check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestLoopsNoticeWhatGoesWrong(t *testing.T) {
	wrong := func(context.Context, int) (user, error) { return user{ID: -1}, nil }
	fails := func(context.Context, int) (user, error) { return user{}, errDown }
	for name, c := range map[string]struct {
		loop loop
		want error
	}{
		"success":         {succeeds(nothing)(pass), nil},
		"failure":         {succeeds(nothing)(rejectAll), errFailed},
		"late failure":    {succeeds(nothing)(admitting(9)), errFailed},
		"rejection":       {rejects(rejectAll), nil},
		"admission":       {rejects(pass), errPassed},
		"in a crowd":      {together(3, nothing)(attempts(1)), nil},
		"one of a crowd":  {together(3, nothing)(rejectAll), errFailed},
		"answer":          {answers(load), nil},
		"another answer":  {answers(wrong), errAnother},
		"no answer":       {answers(fails), errFailed},
		"third attempt":   {succeedsThird(attempts(3)), nil},
		"second attempt":  {succeedsThird(attempts(2)), errFailed},
		"used up":         {usedUp(admitting(1)), nil},
		"not yet used up": {usedUp(admitting(2)), errPassed},
	} {
		if err := c.loop(t.Context(), 10); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: the loop returned %v, want %v", name, err, c.want)
		}
	}
}
