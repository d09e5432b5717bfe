package mettle_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// opened returns a breaker that is open.
func opened() *breaker.Breaker {
	b := breaker.New(breaker.Config{Name: "db", Trip: breaker.Consecutive(1), Cooldown: time.Minute})
	b.Do(context.Background(), down)
	return b
}

// filled returns a bulkhead with no place free.
func filled(t *testing.T, c bulkhead.Config) *bulkhead.Bulkhead {
	c.Limit = 1
	b := bulkhead.New(c)
	permit, err := b.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { permit.Done(nil) })
	return b
}

// usedUp returns a limiter that admits nobody for a minute.
func usedUp(c ratelimit.Config) *ratelimit.Limiter {
	c.Rate, c.Per, c.Burst = 1, time.Minute, 1
	l := ratelimit.New(c)
	l.Allow()
	return l
}

// crowded returns the policy of a key that has no room, since another's breaker is open.
func crowded() mettle.Policy {
	m := keyed.New(keyed.Config[string]{Max: 1, New: func(string) mettle.Policy { return opened() }})
	m.For("other").Do(context.Background(), nothing)
	return m.For("this")
}

func TestSemantics02RejectionMeansNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := retry.New(retry.Config{Backoff: retry.Constant(0)})
		expired, cancel := context.WithCancel(t.Context())
		cancel()
		for _, c := range []struct {
			name   string
			ctx    context.Context
			p      mettle.Policy
			reason error
		}{
			{"open breaker", t.Context(), opened(), breaker.ErrOpen},
			{"full bulkhead", t.Context(), filled(t, bulkhead.Config{}), bulkhead.ErrFull},
			{"wait in vain", t.Context(), filled(t, bulkhead.Config{Queue: 1, MaxWait: time.Second}), bulkhead.ErrWait},
			{"context ended", expired, filled(t, bulkhead.Config{Queue: 1}), context.Canceled},
			{"rate used up", t.Context(), usedUp(ratelimit.Config{}), ratelimit.ErrLimited},
			{"rate used up for longer than MaxWait", t.Context(), usedUp(ratelimit.Config{MaxWait: time.Second}), ratelimit.ErrLimited},
			{"rate used up, context ended", expired, usedUp(ratelimit.Config{MaxWait: time.Hour}), context.Canceled},
			{"no room for a key", t.Context(), crowded(), keyed.ErrFull},
			{"open breaker of a key", t.Context(), keyed.New(keyed.Config[string]{New: func(string) mettle.Policy { return opened() }}).For("db"), breaker.ErrOpen},
			{"foreign gate", t.Context(), &gate{full: true}, errGate},
			{"in a stack", t.Context(), mettle.Compose(again, timeout.After(time.Hour), pass, opened()), breaker.ErrOpen},
			{"outside of a hedge", t.Context(), mettle.Compose(&gate{full: true}, rivals(2)), errGate},
			{"inside of a hedge", t.Context(), mettle.Compose(rivals(2), opened()), breaker.ErrOpen},
			{"queue longer than the timeout", t.Context(), mettle.Compose(timeout.After(time.Second), filled(t, bulkhead.Config{Queue: 1})), context.DeadlineExceeded},
		} {
			ran := false
			fn := func(context.Context) (int, error) { ran = true; return 1, nil }
			errs := map[string]error{"Do": c.p.Do(c.ctx, func(ctx context.Context) error { _, err := fn(ctx); return err })}
			_, errs["Call"] = mettle.Call(c.ctx, c.p, fn)
			_, errs["Bind"] = mettle.Bind(c.p, fn)(c.ctx)
			errs["Compose"] = mettle.Compose(c.p, pass).Do(c.ctx, func(ctx context.Context) error { _, err := fn(ctx); return err })
			for form, err := range errs {
				if !errors.Is(err, mettle.ErrRejected) || !errors.Is(err, c.reason) || ran {
					t.Errorf("%s, %s: %v, ran: %v, want ErrRejected and %v", c.name, form, err, ran, c.reason)
				}
				if r, ok := errors.AsType[*mettle.RejectedError](err); !ok || r.Policy == "" {
					t.Errorf("%s, %s: %#v is no *RejectedError that names its policy", c.name, form, err)
				}
			}
		}
	})
}

// The first attempt ran and tripped the breaker, which rejected the second: the function did run.
func TestSemantics02RetryWhoseSecondAttemptIsRejected(t *testing.T) {
	br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	again := retry.New(retry.Config{Attempts: 10, Backoff: retry.Constant(0)})
	calls := 0
	err := mettle.Compose(again, br).Do(t.Context(), func(context.Context) error { calls++; return errDown })
	if calls != 1 || metric(br, "rejections") != 1 {
		t.Errorf("%d calls and %v rejections, want 1 each: a retry does not hammer an open breaker", calls, metric(br, "rejections"))
	}
	if errors.Is(err, mettle.ErrRejected) {
		t.Errorf("%v is ErrRejected although the function ran", err)
	}
	for _, want := range []error{breaker.ErrOpen, errDown, retry.ErrTurnedAway} {
		if !errors.Is(err, want) {
			t.Errorf("%v is not %v", err, want)
		}
	}

	// With nothing run before, the rejection passes as it is.
	err = mettle.Compose(again, br).Do(t.Context(), nothing)
	if r, ok := err.(*mettle.RejectedError); !ok || r.Policy != "breaker" {
		t.Errorf("%v, want the breaker's own rejection", err)
	}
}

func TestSemantics02FallbackThatRanIsNoRejection(t *testing.T) {
	fails := func(context.Context) (int, error) { return 0, errDown }
	rejects := mettle.Bind(opened(), fails)
	shut := mettle.Bind(&gate{full: true}, fails)
	for _, c := range []struct {
		name     string
		links    []func(context.Context) (int, error)
		rejected bool
		is       []error
	}{
		{"ran, then rejected", links(fails, rejects), false, []error{errDown, breaker.ErrOpen}},
		{"rejected, then ran", links(rejects, fails), false, []error{errDown, breaker.ErrOpen}},
		{"both rejected", links(rejects, shut), true, []error{breaker.ErrOpen, errGate}},
		{"one that is rejected", links(rejects), true, []error{breaker.ErrOpen}},
		{"rejected, then not for it", links(rejects, mettle.When(func(error) bool { return false }, fails)), true, []error{breaker.ErrOpen}},
	} {
		_, err := mettle.Fallback(c.links...)(t.Context())
		if errors.Is(err, mettle.ErrRejected) != c.rejected {
			t.Errorf("%s: %v is ErrRejected: %v, want %v", c.name, err, !c.rejected, c.rejected)
		}
		for _, want := range c.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", c.name, err, want)
			}
		}
	}
}

func links(fns ...func(context.Context) (int, error)) []func(context.Context) (int, error) {
	return fns
}

// An inner rejection is no failure to an outer breaker, is not retried, and says how long to wait when asked.
func TestSemantics02InnerRejectionCountsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
		inner := opened()
		retried := 0
		again := retry.New(retry.Config{Backoff: retry.Constant(0), Observer: func(context.Context, mettle.Event) { retried++ }})
		var err error
		for range 100 {
			err = mettle.Compose(again, outer, inner).Do(t.Context(), nothing)
		}
		if outer.State() != breaker.Closed || metric(outer, "failures") != 0 || retried != 0 {
			t.Errorf("outer breaker %v with %v failures, %d retries, want closed, 0 and 0", outer.State(), metric(outer, "failures"), retried)
		}
		r, _ := errors.AsType[*mettle.RejectedError](err)
		before, ok := r.RetryAfter()
		time.Sleep(10 * time.Second)
		if after, _ := r.RetryAfter(); !ok || before-after != 10*time.Second {
			t.Errorf("RetryAfter of the same error: %v, and %v 10s later", before, after)
		}
	})
}
