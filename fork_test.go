package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// Of two forks in a row, each of which forks within, only the first is kept. What was kept within the other is not.
func TestKeptWithinABranchThatIsNot(t *testing.T) {
	inner := func(ctx context.Context, fn func(context.Context) error) {
		ctx, b := mettle.Fork(ctx)
		fn(ctx)
		b.Keep()
	}
	first := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		ctxA, a := mettle.Fork(ctx)
		ctxB, _ := mettle.Fork(ctx)
		inner(ctxA, fn)
		inner(ctxB, fn)
		a.Keep()
		return nil
	})
	runs := 0
	v, err := mettle.Call(t.Context(), first, func(context.Context) (int, error) { runs++; return runs, nil })
	if v != 1 || err != nil {
		t.Errorf("%d, %v, want 1", v, err)
	}
}

// A fork of a context of its own has no parent, wherever its Call began.
func TestForkOfADetachedContextWithinABranch(t *testing.T) {
	own := mettle.PolicyFunc(func(_ context.Context, fn func(context.Context) error) error {
		ctx, b := mettle.Fork(context.Background())
		err := fn(ctx)
		b.Keep()
		return err
	})
	for _, p := range []mettle.Policy{own, mettle.Compose(rivals(2), own), mettle.Compose(own, rivals(2), own)} {
		v, err := mettle.Call(t.Context(), p, func(context.Context) (int, error) { return 7, nil })
		if v != 7 || err != nil {
			t.Errorf("%d, %v, want 7", v, err)
		}
	}
}

// A retry within a branch may succeed late; what it staged before is replaced, not added.
func TestLaterResultOfABranchReplacesTheEarlier(t *testing.T) {
	twice := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		fn(ctx)
		return fn(ctx)
	})
	ctx, b := mettle.Fork(t.Context())
	values := 0
	v, err := mettle.Call(ctx, twice, func(context.Context) (int, error) { values++; return values, nil })
	if v != 2 || err != nil {
		t.Errorf("%d, %v, want 2: the last run of a policy that runs twice", v, err)
	}
	b.Keep() // nothing is staged on it: the Call began in it

	both := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		ctx, b := mettle.Fork(ctx)
		fn(ctx)
		err := fn(ctx)
		b.Keep()
		return err
	})
	values = 0
	v, err = mettle.Call(t.Context(), both, func(context.Context) (int, error) { values++; return values, nil })
	if v != 2 || err != nil {
		t.Errorf("%d, %v, want 2", v, err)
	}
}

func TestUnkeptBranchLeavesTheZeroValue(t *testing.T) {
	forgets := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		ctx, _ = mettle.Fork(ctx)
		return fn(ctx)
	})
	if v, err := mettle.Call(t.Context(), forgets, func(context.Context) (int, error) { return 7, nil }); v != 0 || err != nil {
		t.Errorf("%d, %v, want 0 and no error", v, err)
	}
}

// A branch's context is known to package context: what derives from it costs no goroutine, and hears its causes.
func TestContextsDerivedFromAForkAreCheap(t *testing.T) {
	parent, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	ctx, _ := mettle.Fork(parent)
	before := runtime.NumGoroutine()
	child, leave := context.WithCancel(ctx)
	defer leave()
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("a derived context started %d goroutines", after-before)
	}
	cancel(errDown)
	if context.Cause(ctx) != errDown || context.Cause(child) != errDown {
		t.Errorf("causes %v and %v, want %v", context.Cause(ctx), context.Cause(child), errDown)
	}
}

// bare is a context without a String, as those of some frameworks are. Its fields are its own.
type bare struct {
	context.Context
	secret string
}

// A context may be printed, by a log, while its fields are changing. So no String looks into them.
func TestAContextTellsItsTypeAndNoFields(t *testing.T) {
	for name, c := range map[string]struct {
		policy mettle.Policy
		want   string
	}{
		"fork":    {forking{}, "*mettle_test.bare.Fork"},
		"attempt": {retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(0)}), "*mettle_test.bare.Attempt(2)"},
		"timeout": {timeout.After(time.Minute), "*mettle_test.bare.WithTimeout(1m0s)"},
		"hedge":   {hedge.New(hedge.Config{Delay: time.Hour}), "*mettle_test.bare.Fork.Hedge"},
	} {
		var got string
		c.policy.Do(&bare{t.Context(), "field"}, func(ctx context.Context) error {
			got = fmt.Sprint(ctx)
			return errors.New("again, if you may")
		})
		if got != c.want {
			t.Errorf("%s: printed as %q, want %q", name, got, c.want)
		}
	}
}

type forking struct{}

func (forking) Do(ctx context.Context, fn func(context.Context) error) error {
	ctx, _ = mettle.Fork(ctx)
	return fn(ctx)
}
