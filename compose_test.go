package mettle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// The tests named TestOrder run the same policies in two orders, side by side, and show what the difference costs. The section "Stacks" of
// docs/semantics.md leads to them.

// order puts two policies into a stack, the one or the other as the outer one.
type order func(a, b mettle.Policy) mettle.Policy

func asGiven(a, b mettle.Policy) mettle.Policy  { return mettle.Compose(a, b) }
func reversed(a, b mettle.Policy) mettle.Policy { return mettle.Compose(b, a) }

// A timeout that is only around the retry gives all of its time to the first attempt that hangs.
func TestOrderTimeoutInsideTheRetry(t *testing.T) {
	const sec = time.Second
	again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(10 * sec)})
	whole, each := timeout.New(timeout.Config{Name: "whole", After: 30 * sec}), timeout.New(timeout.Config{Name: "each", After: sec})
	once := func() *mettletest.Script { return mettletest.NewScript(mettletest.Hang()).Then(mettletest.Succeed()) }
	always := func() *mettletest.Script { return mettletest.NewScript().Then(mettletest.Hang()) }
	for _, c := range []struct {
		name  string
		stack mettle.Policy
		dep   func() *mettletest.Script
		calls int
		took  time.Duration
		err   error
	}{
		{"outside only, hangs once", mettle.Compose(whole, again), once, 1, 30 * sec, context.DeadlineExceeded},
		{"inside only, hangs once", mettle.Compose(again, each), once, 2, 11 * sec, nil},
		{"both, hangs once", mettle.Compose(whole, again, each), once, 2, 11 * sec, nil},
		{"inside only, hangs always", mettle.Compose(again, each), always, 3, 23 * sec, retry.ErrAttempts},
		{"both and a caller in a hurry, hangs always", mettle.Compose(timeout.After(15*sec), again, each), always, 2, 12 * sec, retry.ErrDeadline},
	} {
		synctest.Test(t, func(t *testing.T) {
			dep, start := c.dep(), time.Now()
			err := c.stack.Do(t.Context(), dep.Run)
			if dep.Calls() != c.calls || time.Since(start) != c.took || (err == nil) != (c.err == nil) || !errors.Is(err, c.err) {
				t.Errorf("%s: %d calls in %v, %v; want %d in %v, %v", c.name, dep.Calls(), time.Since(start), err, c.calls, c.took, c.err)
			}
		})
	}
}

// A breaker around the retry sees one result for several attempts: it opens late for a dependency that is dead, and never for one whose
// failures the retry hides.
func TestOrderBreakerInsideTheRetry(t *testing.T) {
	for _, c := range []struct {
		name     string
		compose  order // of the retry and the breaker
		dead     int   // attempts that a dead dependency sees before the breaker opens
		halfDead breaker.State
	}{
		{"inside", asGiven, 8, breaker.Open},
		{"outside", reversed, 24, breaker.Closed},
	} {
		again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(0), Budget: retry.Unlimited})
		br := breaker.New(breaker.Config{Cooldown: time.Hour})
		dead := mettletest.NewScript().Then(mettletest.Fail(errDown))
		stack := c.compose(again, br)
		for range 100 {
			stack.Do(t.Context(), dead.Run)
		}
		if dead.Calls() != c.dead || br.State() != breaker.Open {
			t.Errorf("%s: %d attempts on a dead dependency, breaker %v; want %d, open", c.name, dead.Calls(), br.State(), c.dead)
		}

		br = breaker.New(breaker.Config{Cooldown: time.Hour})
		stack = c.compose(again, br)
		n := 0
		for range 100 {
			stack.Do(t.Context(), func(context.Context) error {
				if n++; n%2 == 1 {
					return errDown
				}
				return nil
			})
		}
		if br.State() != c.halfDead || (metric(br, "failures") == 0) != (c.halfDead == breaker.Closed) {
			t.Errorf("%s: half of %d attempts failed, breaker %v with %v failures, want %v", c.name, n, br.State(), metric(br, "failures"), c.halfDead)
		}
	}
}

// A bulkhead around the retry keeps a place for a call that only waits for its next attempt.
func TestOrderBulkheadInsideTheRetry(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order // of the retry and the bulkhead
		inside  float64
		err     error
	}{
		{"inside", asGiven, 0, nil},
		{"outside", reversed, 1, bulkhead.ErrFull},
	} {
		synctest.Test(t, func(t *testing.T) {
			bh := bulkhead.New(bulkhead.Config{Limit: 1})
			stack := c.compose(retry.New(retry.Config{Backoff: retry.Constant(time.Minute)}), bh)
			go stack.Do(t.Context(), mettletest.NewScript(mettletest.Fail(errDown)).Then(mettletest.Succeed()).Run)
			time.Sleep(30 * time.Second) // amid the backoff
			inside, err := metric(bh, "inside"), stack.Do(t.Context(), nothing)
			if inside != c.inside || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%s: %v places taken in the backoff, another call got %v; want %v, %v", c.name, inside, err, c.inside, c.err)
			}
		})
	}
}

// Both orders of breaker and bulkhead are right, for different things. Outside, an open breaker turns callers away before the queue; inside,
// it turns away also those who were in the queue when it opened.
func TestOrderBreakerAndBulkhead(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order         // of the breaker and the bulkhead
		waits   time.Duration // how long a newcomer waits to hear that the breaker is open
		runs    int           // how many calls of a queue of three reach the dependency after the first of them opened the breaker
	}{
		{"breaker outside", asGiven, 0, 3},
		{"breaker inside", reversed, time.Minute, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour})
			stack := c.compose(br, bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1}))
			go stack.Do(t.Context(), mettletest.Slow(time.Minute, mettletest.Succeed()))
			synctest.Wait()
			br.Do(t.Context(), down) // another operation on the same dependency, with places of its own
			start := time.Now()
			err := stack.Do(t.Context(), nothing)
			if !errors.Is(err, breaker.ErrOpen) || time.Since(start) != c.waits {
				t.Errorf("%s: a newcomer got %v after %v, want ErrOpen after %v", c.name, err, time.Since(start), c.waits)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour})
			stack := c.compose(br, bulkhead.New(bulkhead.Config{Limit: 1, Queue: 2}))
			dep := mettletest.NewScript().Then(mettletest.Slow(time.Second, mettletest.Fail(errDown)))
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { stack.Do(t.Context(), dep.Run) })
			}
			wg.Wait()
			if dep.Calls() != c.runs || br.State() != breaker.Open {
				t.Errorf("%s: %d calls of the queue ran, breaker %v; want %d, open", c.name, dep.Calls(), br.State(), c.runs)
			}
		})
	}
}

// A timeout around the bulkhead counts the time in the queue: the call is cut short, and a breaker takes that for the dependency's slowness.
func TestOrderTimeoutInsideTheBulkhead(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order // of the bulkhead and the timeout
		took    time.Duration
		err     error
		state   breaker.State
	}{
		{"inside", asGiven, 1400 * time.Millisecond, nil, breaker.Closed},
		{"outside", reversed, time.Second, context.DeadlineExceeded, breaker.Open},
	} {
		synctest.Test(t, func(t *testing.T) {
			br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
			bh := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1})
			stack := mettle.Compose(br, c.compose(bh, timeout.After(time.Second)))
			taken, err := bh.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(900*time.Millisecond, func() { taken.Done(nil) })
			start := time.Now()
			err = stack.Do(t.Context(), mettletest.Slow(500*time.Millisecond, mettletest.Succeed()))
			if took := time.Since(start); took != c.took || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || br.State() != c.state {
				t.Errorf("%s: %v after %v, breaker %v; want %v after %v, %v", c.name, err, took, br.State(), c.err, c.took, c.state)
			}
		})
	}
}

// A rate limit around the retry counts calls, and the dependency gets every attempt of each.
func TestOrderRateLimitInsideTheRetry(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order // of the retry and the limit
		most    int   // attempts that the dependency sees in a second
	}{
		{"inside", asGiven, 10},
		{"outside", reversed, 30},
	} {
		synctest.Test(t, func(t *testing.T) {
			again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(0), Budget: retry.Unlimited})
			dep := mettletest.NewScript().Then(mettletest.Fail(errDown))
			stack := c.compose(again, ratelimit.New(ratelimit.Config{Rate: 10, Burst: 10}))
			for range 100 {
				stack.Do(t.Context(), dep.Run)
			}
			if dep.Calls() != c.most {
				t.Errorf("%s: %d attempts at once, want %d", c.name, dep.Calls(), c.most)
			}
		})
	}
}
