package mettle_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

func TestComposeFlattensAndCopies(t *testing.T) {
	a, b, c := retry.New(retry.Config{Name: "a"}), timeout.After(time.Second), &gate{}
	list := []mettle.Policy{a, mettle.Compose(mettle.Compose(b), mettle.Compose()), c}
	s := mettle.Compose(list...)
	list[0] = c
	want := []mettle.Policy{a, b, c}
	if got := s.Policies(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s.Policies()[0] = c
	if got := s.Policies(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v: the slice is the caller's", got, want)
	}
}

func TestStackString(t *testing.T) {
	for want, s := range map[string]*mettle.Stack{
		"": mettle.Compose(),
		"retry > breaker users-db > bulkhead > timeout search": mettle.Compose(
			retry.New(retry.Config{}), breaker.New(breaker.Config{Name: "users-db"}),
			bulkhead.New(bulkhead.Config{Limit: 1}), timeout.New(timeout.Config{Name: "search", After: 1})),
		"mettle.PolicyFunc > *mettle_test.gate": mettle.Compose(pass, &gate{}),
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestEmptyStackJustRuns(t *testing.T) {
	v, err := mettle.Call(t.Context(), mettle.Compose(), func(context.Context) (int, error) { return 7, nil })
	if v != 7 || err != nil || mettle.Compose().Do(t.Context(), down) != errDown {
		t.Errorf("%d, %v", v, err)
	}
}

// Contexts reach the function with all their values, through every kind of layer.
func TestValuesReachTheFunction(t *testing.T) {
	ctx := context.WithValue(t.Context(), key{}, "value")
	stack := mettle.Compose(pass, &gate{}, retry.New(retry.Config{}), bulkhead.New(bulkhead.Config{Limit: 1}), timeout.After(time.Hour), rivals(2))
	err := stack.Do(ctx, func(ctx context.Context) error {
		if ctx.Value(key{}) != "value" {
			return errors.New("no value")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A retry after a long wait must not bound its attempt by a clock reading from before it, nor a bulkhead with a queue, nor
// a foreign gate or policy that waits.
func TestTimeoutBeginsWhenItsCallDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bh := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1})
		permit, _ := bh.Acquire(t.Context())
		time.AfterFunc(time.Minute, func() { permit.Done(nil) })
		sleepy := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
			time.Sleep(time.Minute)
			return fn(ctx)
		})
		for name, waits := range map[string]mettle.Policy{
			"retry":          retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(time.Minute)}),
			"bulkhead":       bh,
			"foreign gate":   &gate{wait: time.Minute},
			"foreign policy": sleepy,
		} {
			mettle.Compose(timeout.After(time.Hour), waits, timeout.After(time.Second)).Do(t.Context(), func(ctx context.Context) error {
				if d, _ := ctx.Deadline(); time.Until(d) != time.Second {
					t.Errorf("%s: the function has %v, want 1s", name, time.Until(d))
				}
				return errDown
			})
		}
	})
}

// One clock reading at the entry serves all layers, so that where there is a timeout the retry knows how long the first
// attempt took.
func TestFirstAttemptIsTimedWhereThereIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(time.Second)})
		err := mettle.Compose(again, timeout.After(time.Minute)).Do(t.Context(), func(context.Context) error {
			time.Sleep(time.Second)
			return errDown
		})
		e, ok := errors.AsType[*retry.ExhaustedError](err)
		if !ok || e.Attempts[0].Took != time.Second || e.Attempts[1].Took != time.Second || e.Elapsed != 3*time.Second {
			t.Errorf("%+v, want two attempts of 1s in 3s", err)
		}
	})
}

// The value beside an error is the zero value, whatever the function returned.
func TestCallReturnsTheZeroValueBesideAnError(t *testing.T) {
	policies := map[string]mettle.Policy{
		"empty": mettle.Compose(), "foreign": pass, "gate": &gate{}, "retry": retry.New(retry.Config{Attempts: 1}),
		"timeout": timeout.After(time.Hour), "stack": mettle.Compose(pass, timeout.After(time.Hour)), "hedge": rivals(2),
		"rejects": &gate{full: true},
	}
	for name, p := range policies {
		v, err := mettle.Call(t.Context(), p, func(context.Context) (string, error) { return "half done", errDown })
		if v != "" || err == nil {
			t.Errorf("%s: %q, %v", name, v, err)
		}
		v, err = mettle.Call(t.Context(), p, func(context.Context) (string, error) { return "done", nil })
		if name != "rejects" && (v != "done" || err != nil) {
			t.Errorf("%s: %q, %v", name, v, err)
		}
	}
}

// A policy that turns an error into a success has no value to give, and one that runs nothing neither.
func TestCallOfAPolicyThatHidesErrors(t *testing.T) {
	hides := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error { fn(ctx); return nil })
	v, err := mettle.Call(t.Context(), hides, func(context.Context) (int, error) { return 7, errDown })
	if v != 0 || err != nil {
		t.Errorf("%d, %v, want 0 and nil", v, err)
	}
}

func TestWrapAndBind(t *testing.T) {
	again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(0)})
	calls := 0
	double := mettle.Wrap(again, func(ctx context.Context, n int) (int, error) {
		if calls++; calls < 3 {
			return 0, errDown
		}
		return 2 * n, nil
	})
	if v, err := double(t.Context(), 21); v != 42 || err != nil || calls != 3 {
		t.Errorf("%d, %v after %d calls", v, err, calls)
	}
	calls = 0
	seven := mettle.Bind(again, func(context.Context) (int, error) {
		if calls++; calls < 2 {
			return 0, errDown
		}
		return 7, nil
	})
	if v, err := seven(t.Context()); v != 7 || err != nil || calls != 2 {
		t.Errorf("%d, %v after %d calls", v, err, calls)
	}
}

func TestPermanentIsItsError(t *testing.T) {
	if mettle.Permanent(nil) != nil {
		t.Error("Permanent(nil) is an error")
	}
	err := mettle.Permanent(errDown)
	if !errors.Is(err, errDown) || err.Error() != "down" {
		t.Errorf("%v", err)
	}
}

func TestRejectedError(t *testing.T) {
	after := func() (time.Duration, bool) { return time.Second, true }
	for _, c := range []struct {
		err  *mettle.RejectedError
		text string
		wait time.Duration
		ok   bool
	}{
		{mettle.Reject("gate", "", errGate, nil), "mettle: rejected by gate: gate: shut", 0, false},
		{mettle.Reject("gate", "users", errGate, after), "mettle: rejected by gate users: gate: shut", time.Second, true},
		{mettle.Reject("gate", "users", nil, nil), "mettle: rejected by gate users", 0, false},
		{&mettle.RejectedError{Policy: "gate"}, "mettle: rejected by gate", 0, false},
	} {
		if c.err.Error() != c.text {
			t.Errorf("%q, want %q", c.err, c.text)
		}
		if wait, ok := c.err.RetryAfter(); wait != c.wait || ok != c.ok {
			t.Errorf("%q: RetryAfter %v, %v", c.text, wait, ok)
		}
		if !errors.Is(c.err, mettle.ErrRejected) || c.err.Reason != nil && !errors.Is(c.err, errGate) || errors.Is(c.err, errDown) {
			t.Errorf("%q is not what it is", c.text)
		}
	}
}

// These embed our policies, as one does to add something to a type. Their Do must be the one that is called.
type (
	ownRetry struct {
		*retry.Policy
		dos *int
	}
	ownTimeout struct {
		*timeout.Policy
		dos *int
	}
	ownBreaker struct {
		*breaker.Breaker
		dos *int
	}
)

func (p ownRetry) Do(ctx context.Context, fn func(context.Context) error) error {
	*p.dos++
	return p.Policy.Do(ctx, fn)
}

func (p *ownTimeout) Do(ctx context.Context, fn func(context.Context) error) error {
	*p.dos++
	return p.Policy.Do(ctx, fn)
}

func (p ownBreaker) Do(ctx context.Context, fn func(context.Context) error) error {
	*p.dos++
	return p.Breaker.Do(ctx, fn)
}

func TestPolicyThatEmbedsOneOfOursIsItself(t *testing.T) {
	dos := 0
	fn := func(context.Context) (int, error) { return 7, nil }
	mettle.Call(t.Context(), timeout.After(time.Hour), fn) // what is known of a type must not be taken for that of another
	for _, p := range []mettle.Policy{
		ownRetry{retry.New(retry.Config{}), &dos},
		&ownTimeout{timeout.After(time.Hour), &dos},
		ownBreaker{breaker.New(breaker.Config{}), &dos},
	} {
		dos = 0
		if v, err := mettle.Call(t.Context(), p, fn); v != 7 || err != nil || dos != 1 {
			t.Errorf("%T, Call: %d, %v, its Do called %d times, want 1", p, v, err, dos)
		}
		if v, err := mettle.Call(t.Context(), mettle.Compose(pass, p), fn); v != 7 || err != nil || dos != 2 {
			t.Errorf("%T, Compose: %d, %v, its Do called %d times, want 2", p, v, err, dos)
		}
	}
}
