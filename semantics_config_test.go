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

// One case of each maker; the tables of all fields are in the policies' own tests.
func TestSemantics09BadConfigurationIsLoud(t *testing.T) {
	valued := func(context.Context) (int, error) { return 0, nil }
	for want, build := range map[string]func(){
		"retry: Config.Attempts is -7, want -1 or more":                        func() { retry.New(retry.Config{Attempts: -7}) },
		"timeout: Config.After is 0s, want more than 0":                        func() { timeout.New(timeout.Config{}) },
		"timeout: Config.After is -1s, want more than 0":                       func() { timeout.After(-time.Second) },
		"breaker: Config.Cooldown is -1s, want 0 or more":                      func() { breaker.New(breaker.Config{Cooldown: -time.Second}) },
		"bulkhead: Config.Limit is 0, want 1 or more":                          func() { bulkhead.New(bulkhead.Config{}) },
		"ratelimit: Config.Rate is 0, want 1 or more":                          func() { ratelimit.New(ratelimit.Config{Burst: 1}) },
		"ratelimit: Config.Burst is 0, want 1 or more":                         func() { ratelimit.New(ratelimit.Config{Rate: 1}) },
		"keyed: Config.New is nil, want a function":                            func() { keyed.New(keyed.Config[string]{}) },
		"mettle: Compose: policy 2 is nil, want a Policy":                      func() { mettle.Compose(pass, nil) },
		"mettle: the policy of a call is nil, want a Policy":                   func() { mettle.Call(t.Context(), nil, valued) },
		"mettle: Bind: the policy is nil, want a Policy":                       func() { mettle.Bind(nil, valued) },
		"mettle: Bind: the function is nil, want a function":                   func() { mettle.Bind[int](pass, nil) },
		"mettle: Wrap: the policy is nil, want a Policy":                       func() { mettle.Wrap[int, int](nil, func(context.Context, int) (int, error) { return 0, nil }) },
		"mettle: Wrap: the function is nil, want a function":                   func() { mettle.Wrap[int, int](pass, nil) },
		"mettle: Fallback: no functions, want 1 or more":                       func() { mettle.Fallback[int]() },
		"mettle: Fallback: function 2 is nil, want a function":                 func() { mettle.Fallback(valued, nil) },
		"mettle: When: match or fn is nil, want a function":                    func() { mettle.When(nil, valued) },
		"retry: Spread of 2, want more than 0 and at most 1":                   func() { retry.Spread(2) },
		"retry: Func of nil, want a function":                                  func() { retry.Func(nil) },
		"retry: Sequence of no waits, want 1 or more":                          func() { retry.Sequence() },
		"retry: Linear of 2s at most 1s, want 0 < d <= max":                    func() { retry.Linear(2*time.Second, time.Second) },
		"breaker: Config.Trip is Consecutive(0), want 1 or more":               func() { breaker.New(breaker.Config{Trip: breaker.Consecutive(0)}) },
		"retry: Config.Backoff.Factor is 0.1, want 0 or at least 1":            func() { retry.New(retry.Config{Backoff: retry.Backoff{Factor: 0.1}}) },
		"retry: wait 1 is -1s, want 0 or more":                                 func() { retry.Constant(-time.Second) },
		"bulkhead: Config.Limit is -1, want 1 or more":                         func() { bulkhead.New(bulkhead.Config{Limit: -1}) },
		"timeout: Config.After is -2562047h47m16.854775808s, want more than 0": func() { timeout.After(-1 << 63) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panicked with %v, want %s", got, want)
				}
			}()
			build()
		}()
	}
}

// The zero configurations are safe, where there can be a default.
func TestSemantics09ZeroConfigWorks(t *testing.T) {
	s := mettle.Compose(retry.New(retry.Config{}), breaker.New(breaker.Config{}))
	if err := s.Do(t.Context(), nothing); err != nil {
		t.Error(err)
	}
}

// Every observer calls back into the policy that tells it, and reads its counters: under a lock that would hang.
func TestSemantics12ObserversMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stack *mettle.Stack
		seen := map[mettle.Kind]int{}
		depth := 0
		observe := func(ctx context.Context, e mettle.Event) {
			seen[e.Kind]++
			for _, p := range stack.Policies() {
				p.(mettle.Describer).Describe()
			}
			if depth++; depth < 4 {
				stack.Do(ctx, down)
			}
			depth--
		}
		stack = mettle.Compose(
			retry.New(retry.Config{Backoff: retry.Constant(time.Millisecond), Observer: observe}),
			breaker.New(breaker.Config{Trip: breaker.Consecutive(4), Cooldown: 10 * time.Millisecond, Successes: 1, Observer: observe}),
			bulkhead.New(bulkhead.Config{Limit: 1, Observer: observe}),
			timeout.New(timeout.Config{After: time.Second, Observer: observe}),
		)
		for range 20 {
			stack.Do(t.Context(), hang)
			time.Sleep(time.Second)
			stack.Do(t.Context(), nothing)
			// A full bulkhead: the call within holds the only place.
			stack.Do(t.Context(), func(ctx context.Context) error { return stack.Do(ctx, nothing) })
		}
		for _, k := range []mettle.Kind{mettle.Retried, mettle.Rejected, mettle.StateChanged, mettle.TimedOut} {
			if seen[k] == 0 {
				t.Errorf("no event %q", k)
			}
		}
	})
}

// A panicking observer is a bug of the observer's: it passes, and leaves no permit behind.
func TestSemantics12PanicOfAnObserverLeaksNothing(t *testing.T) {
	bad := func(context.Context, mettle.Event) { panic("observer") }
	bh := bulkhead.New(bulkhead.Config{Limit: 1})
	s := mettle.Compose(bh, retry.New(retry.Config{Backoff: retry.Constant(0), Observer: bad}))
	for range 3 {
		if v, _ := ends(func() { s.Do(t.Context(), down) }); v != "observer" {
			t.Errorf("panicked with %v", v)
		}
	}
	if err := bh.Do(t.Context(), nothing); errors.Is(err, mettle.ErrRejected) {
		t.Error(err)
	}
}
