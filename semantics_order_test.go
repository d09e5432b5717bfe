package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
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

// traced is a foreign policy that writes down when it is entered and left.
func traced(name string, log *[]string) mettle.Policy {
	return mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		*log = append(*log, name+" in")
		defer func() { *log = append(*log, name+" out") }()
		return fn(ctx)
	})
}

func TestSemantics01OrderOutermostFirst(t *testing.T) {
	var log []string
	s := mettle.Compose(traced("a", &log), mettle.Compose(traced("b", &log), mettle.Compose(traced("c", &log))), traced("d", &log))
	s.Do(t.Context(), func(context.Context) error { log = append(log, "fn"); return nil })
	want := []string{"a in", "b in", "c in", "d in", "fn", "d out", "c out", "b out", "a out"}
	if !slices.Equal(log, want) {
		t.Errorf("%v, want %v", log, want)
	}
}

// What the order of doc.go promises, policy by policy.
func TestSemantics01OrderOfTheUsualStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New(breaker.Config{Trip: breaker.Consecutive(100)})
		bh := bulkhead.New(bulkhead.Config{Limit: 1})
		again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(time.Minute), Observer: func(context.Context, mettle.Event) {
			if n := metric(bh, "inside"); n != 0 {
				t.Errorf("%v places taken during the backoff", n)
			}
		}})
		start := time.Now()
		err := mettle.Compose(again, br, bh, timeout.After(time.Second)).Do(t.Context(), func(ctx context.Context) error {
			if d, _ := ctx.Deadline(); time.Until(d) != time.Second {
				t.Errorf("an attempt has %v, want 1s", time.Until(d))
			}
			if n := metric(bh, "inside"); n != 1 {
				t.Errorf("%v places taken during an attempt", n)
			}
			return hang(ctx)
		})
		if took := time.Since(start); took != 2*time.Minute+3*time.Second {
			t.Errorf("took %v, want three attempts of 1s and two waits of 1m", took)
		}
		if !errors.Is(err, retry.ErrAttempts) || metric(br, "failures") != 3 {
			t.Errorf("%v, and the breaker counted %v failures, want 3", err, metric(br, "failures"))
		}

		outside := breaker.New(breaker.Config{Trip: breaker.Consecutive(100)})
		mettle.Compose(outside, again).Do(t.Context(), down)
		if n := metric(outside, "failures"); n != 1 {
			t.Errorf("a breaker outside of the retry counted %v failures, want 1", n)
		}
	})
}

// metric returns a number that a policy tells of itself.
func metric(p mettle.Describer, name string) float64 {
	for _, m := range p.Describe().Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	return -1
}

// A Stack runs its policies by short cuts. Whatever their order, it must do what nesting them by hand does.
func TestSemantics01StackIsLikeNestingByHand(t *testing.T) {
	kinds := []func() mettle.Policy{
		func() mettle.Policy {
			return retry.New(retry.Config{Attempts: 4, Backoff: retry.Backoff{Base: time.Second, Jitter: retry.NoJitter}})
		},
		func() mettle.Policy {
			return breaker.New(breaker.Config{Trip: breaker.Consecutive(3), Cooldown: time.Hour})
		},
		func() mettle.Policy { return bulkhead.New(bulkhead.Config{Limit: 1}) },
		func() mettle.Policy { return timeout.New(timeout.Config{Name: "t", After: 5 * time.Second}) },
		func() mettle.Policy { return pass },
		func() mettle.Policy { return &gate{wait: 100 * time.Millisecond} },
	}
	stackIsLikeNesting(t, kinds)
	kinds[1] = func() mettle.Policy {
		return ratelimit.New(ratelimit.Config{Rate: 1, Burst: 2, MaxWait: 3 * time.Second})
	}
	kinds[2] = func() mettle.Policy {
		return keyed.New(keyed.Config[int]{New: func(int) mettle.Policy {
			return mettle.Compose(breaker.New(breaker.Config{Trip: breaker.Consecutive(3)}), timeout.After(4*time.Second))
		}}).For(1)
	}
	stackIsLikeNesting(t, kinds)
}

func stackIsLikeNesting(t *testing.T, kinds []func() mettle.Policy) {
	fns := map[string]func(n int) func(context.Context) error{
		"ok":    func(int) func(context.Context) error { return nothing },
		"down":  func(int) func(context.Context) error { return down },
		"hangs": func(int) func(context.Context) error { return hang },
		"recovers": func(n int) func(context.Context) error {
			return []func(context.Context) error{down, down, nothing}[min(n, 2)]
		},
		"hangs once": func(n int) func(context.Context) error {
			return []func(context.Context) error{hang, nothing}[min(n, 1)]
		},
		"permanent": func(int) func(context.Context) error {
			return func(context.Context) error { return mettle.Permanent(errDown) }
		},
	}
	for name, fn := range fns {
		permutations(len(kinds), func(order []int) {
			var got [2]string
			for hand := range 2 {
				synctest.Test(t, func(t *testing.T) {
					policies := make([]mettle.Policy, len(order))
					for i, k := range order {
						policies[i] = kinds[k]()
					}
					var p mettle.Policy = mettle.Compose(policies...)
					if hand == 1 {
						p = nested(policies)
					}
					got[hand] = told(t, p, policies, fn)
				})
			}
			if got[0] != got[1] {
				t.Fatalf("%s in the order %v:\nstack   %s\nby hand %s", name, order, got[0], got[1])
			}
		})
	}
}

// nested is what Compose means.
func nested(policies []mettle.Policy) mettle.Policy {
	return mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		for _, p := range slices.Backward(policies) {
			inner := fn
			fn = func(ctx context.Context) error { return p.Do(ctx, inner) }
		}
		return fn(ctx)
	})
}

// How long a call ran in all is known better to a stack, which may have read the clock before the retry did.
var elapsed = regexp.MustCompile(` in [0-9.msµh]+ \(`)

// told tells all that can be seen of two calls.
func told(t *testing.T, p mettle.Policy, policies []mettle.Policy, fn func(int) func(context.Context) error) string {
	var b strings.Builder
	start, n := time.Now(), 0
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := p.Do(ctx, func(ctx context.Context) error {
			d, _ := ctx.Deadline()
			fmt.Fprintf(&b, "run at %v with %v left; ", time.Since(start), time.Until(d))
			n++
			return fn(n - 1)(ctx)
		})
		cancel()
		fmt.Fprintf(&b, "%v: %s, rejected %v, late %v; ", time.Since(start), elapsed.ReplaceAllString(fmt.Sprint(err), " in X ("),
			errors.Is(err, mettle.ErrRejected), errors.Is(err, context.DeadlineExceeded))
	}
	for _, p := range policies {
		if d, ok := p.(mettle.Describer); ok {
			fmt.Fprintf(&b, "%+v; ", d.Describe())
		}
		if g, ok := p.(*gate); ok {
			fmt.Fprintf(&b, "%d inside, heard %s", g.inside.Load(), elapsed.ReplaceAllString(fmt.Sprint(g.heard), " in X ("))
		}
	}
	return b.String()
}

func permutations(n int, yield func([]int)) {
	order := make([]int, 0, n)
	var extend func()
	extend = func() {
		if len(order) == n {
			yield(order)
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				order = append(order, i)
				extend()
				order = order[:len(order)-1]
			}
		}
	}
	extend()
}
