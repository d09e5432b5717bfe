package mettle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/stale"
)

type source = func(context.Context) (string, error)

// cached returns a source that never fails.
func cached(context.Context) (string, error) { return "cached", nil }

// orStale returns fn with the value "cached" behind it, for when it fails.
func orStale(t *testing.T, fn source) source {
	values := stale.New[string, string](stale.Config{MaxAge: time.Hour})
	if _, err := values.Do(t.Context(), "key", func(ctx context.Context, _ string) (string, error) { return cached(ctx) }); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) (string, error) {
		v, err := values.Do(ctx, "key", func(ctx context.Context, _ string) (string, error) { return fn(ctx) })
		return v.Value, err
	}
}

// A second source inside of a retry or a breaker is a success to them: the retry does not try again, and the breaker never opens.
func TestOrderFallbackAndStaleOutermost(t *testing.T) {
	for _, c := range []struct {
		name    string
		around  func(p mettle.Policy, fn source) source
		value   string // of a source that fails once
		retried int    // its runs
		broken  int    // runs of a source that is dead, in 100 calls through a breaker
	}{
		{"fallback outermost", func(p mettle.Policy, fn source) source { return mettle.Fallback(mettle.Bind(p, fn), cached) }, "fresh", 2, 8},
		{"fallback inside", func(p mettle.Policy, fn source) source { return mettle.Bind(p, mettle.Fallback(fn, cached)) }, "cached", 1, 100},
		{"stale outermost", func(p mettle.Policy, fn source) source { return orStale(t, mettle.Bind(p, fn)) }, "fresh", 2, 8},
		{"stale inside", func(p mettle.Policy, fn source) source { return mettle.Bind(p, orStale(t, fn)) }, "cached", 1, 100},
	} {
		runs := 0
		get := c.around(retry.New(retry.Config{Backoff: retry.Constant(0)}), func(context.Context) (string, error) {
			if runs++; runs == 1 {
				return "", errDown
			}
			return "fresh", nil
		})
		if v, err := get(t.Context()); v != c.value || err != nil || runs != c.retried {
			t.Errorf("%s of a retry: %q, %v after %d runs; want %q after %d", c.name, v, err, runs, c.value, c.retried)
		}

		runs = 0
		br := breaker.New(breaker.Config{Cooldown: time.Hour})
		get = c.around(br, func(context.Context) (string, error) { runs++; return "", errDown })
		for range 100 {
			if v, err := get(t.Context()); v != "cached" || err != nil {
				t.Fatalf("%s of a breaker: %q, %v", c.name, v, err)
			}
		}
		if opened := br.State() == breaker.Open; runs != c.broken || opened != (c.broken < 100) {
			t.Errorf("%s of a breaker: %d runs, breaker %v; want %d", c.name, runs, br.State(), c.broken)
		}
	}
}

// Two services share the rules by kind of error. The attempts, and the budget, are each one's own.
func TestServicesShareRulesButNeitherAttemptsNorBudget(t *testing.T) {
	errReset, errServer, errClient := errors.New("connection reset"), errors.New("status 500"), errors.New("status 400")
	rules := []retry.Rule{
		{If: is(errReset), Attempts: 10},
		{If: is(errClient), Stop: true},
	}
	service := func(attempts int, b *retry.Budget) *retry.Policy {
		return retry.New(retry.Config{Attempts: attempts, Rules: rules, Budget: b, Backoff: retry.Constant(0)})
	}
	search := service(3, nil)
	billing := service(2, retry.NewBudget(retry.BudgetConfig{Floor: 0.001, TTL: 1000 * time.Second})) // one retry
	for _, c := range []struct {
		name  string
		p     *retry.Policy
		err   error
		calls int
		why   error
	}{
		{"search", search, errReset, 10, retry.ErrAttempts},
		{"search", search, errServer, 3, retry.ErrAttempts},
		{"search", search, errClient, 1, retry.ErrStop},
		{"billing", billing, errClient, 1, retry.ErrStop},
		{"billing", billing, errServer, 2, retry.ErrAttempts},
		{"billing, its budget spent", billing, errReset, 1, retry.ErrBudget},
		{"search, whose budget is not", search, errReset, 10, retry.ErrAttempts},
	} {
		calls := 0
		err := c.p.Do(t.Context(), func(context.Context) error { calls++; return c.err })
		if calls != c.calls || !errors.Is(err, c.err) || !errors.Is(err, c.why) {
			t.Errorf("%s: %d attempts, %v; want %d, %v", c.name, calls, err, c.calls, c.why)
		}
	}
}
