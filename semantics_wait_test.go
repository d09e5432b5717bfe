package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

func TestSemantics07WaitsRespectTheDeadline(t *testing.T) {
	for _, c := range []struct {
		name  string
		left  time.Duration // of the deadline, when the first attempt has failed
		wait  time.Duration
		calls int
		took  time.Duration
	}{
		{"room for the wait", 10*time.Second + 1, 10 * time.Second, 2, 10 * time.Second},
		{"the wait would end at the deadline", 10 * time.Second, 10 * time.Second, 1, 0},
		{"the wait would pass the deadline", time.Second, 10 * time.Second, 1, 0},
		{"no wait", 1, 0, 2, 0},
	} {
		for form, bounded := range map[string]func(ctx context.Context, p mettle.Policy, fn func(context.Context) error) error{
			"caller's deadline": func(ctx context.Context, p mettle.Policy, fn func(context.Context) error) error {
				ctx, cancel := context.WithTimeout(ctx, c.left)
				defer cancel()
				return p.Do(ctx, fn)
			},
			"outer timeout": func(ctx context.Context, p mettle.Policy, fn func(context.Context) error) error {
				return mettle.Compose(timeout.After(c.left), p).Do(ctx, fn)
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				p := retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(c.wait)})
				start, calls := time.Now(), 0
				err := bounded(t.Context(), p, func(context.Context) error { calls++; return errDown })
				if took := time.Since(start); took != c.took || calls != c.calls {
					t.Errorf("%s, %s: returned after %v and %d calls, want %v and %d", c.name, form, took, calls, c.took, c.calls)
				}
				if !errors.Is(err, errDown) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s, %s: %v, want the real error and no DeadlineExceeded", c.name, form, err)
				}
				if errors.Is(err, retry.ErrDeadline) != (c.calls == 1) {
					t.Errorf("%s, %s: %v", c.name, form, err)
				}
			})
		}
	}
}

// The caller leaves while the call waits for its next attempt, deep in a stack: it returns at that very instant, and its error has both
// why the caller left and what had gone wrong before.
func TestCancellationAmidABackoffWait(t *testing.T) {
	errLeft := errors.New("the caller left")
	synctest.Test(t, func(t *testing.T) {
		bh := bulkhead.New(bulkhead.Config{Limit: 1})
		stack := mettle.Compose(
			timeout.After(time.Hour),
			retry.New(retry.Config{Name: "users", Backoff: retry.Constant(time.Minute)}),
			breaker.New(breaker.Config{}),
			bh,
			timeout.After(time.Second),
		)
		ctx, cancel := context.WithCancelCause(t.Context())
		start := time.Now()
		time.AfterFunc(90*time.Second, func() { cancel(errLeft) }) // amid the second wait
		calls := 0
		_, err := mettle.Call(ctx, stack, func(context.Context) (int, error) { calls++; return 1, errDown })
		if took := time.Since(start); took != 90*time.Second || calls != 2 {
			t.Errorf("returned after %v and %d calls, want 1m30s and 2", took, calls)
		}
		for _, want := range []error{errLeft, context.Canceled, errDown} {
			if !errors.Is(err, want) {
				t.Errorf("%v is not %v", err, want)
			}
		}
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, mettle.ErrRejected) || metric(bh, "inside") != 0 {
			t.Errorf("%v, %v places taken; want no deadline, no rejection, no place", err, metric(bh, "inside"))
		}
		if want := "retry: users: gave up after 2 attempts in 1m30s (context canceled: the caller left): down"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	})
}

// unasked is a context whose Done nobody may ask for: who does is about to wait.
type unasked struct {
	context.Context
	t *testing.T
}

func (u unasked) Done() <-chan struct{} {
	u.t.Error("somebody waits")
	return nil
}

func TestSemantics07ZeroWaitStartsNoTimer(t *testing.T) {
	for name, b := range map[string]retry.Backoff{
		"constant": retry.Constant(0),
		"func":     retry.Func(func(int) time.Duration { return -1 }),
		"sequence": retry.Sequence(0, 0),
	} {
		calls := 0
		retry.New(retry.Config{Attempts: 100, Backoff: b}).Do(unasked{t.Context(), t}, func(context.Context) error { calls++; return errDown })
		if calls != 100 {
			t.Errorf("%s: %d calls, want 100", name, calls)
		}
	}
}

func TestSemantics07TimersNeverFireEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var planned time.Duration
		p := retry.New(retry.Config{Attempts: 200, Observer: func(_ context.Context, e mettle.Event) { planned += e.Wait }})
		start := time.Now()
		p.Do(t.Context(), func(context.Context) error {
			if since := time.Since(start); since != planned {
				t.Fatalf("an attempt began after %v, want %v", since, planned)
			}
			return errDown
		})
	})
}

// An observer that takes its time must not take it from the next attempt.
func TestSlowObserverLeavesTheNextAttemptItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(context.Context, mettle.Event) { time.Sleep(time.Minute) }
		again := retry.New(retry.Config{Backoff: retry.Constant(0), Observer: slow})
		mettle.Compose(again, timeout.After(time.Second)).Do(t.Context(), func(ctx context.Context) error {
			if d, _ := ctx.Deadline(); time.Until(d) != time.Second {
				t.Errorf("an attempt has %v, want 1s", time.Until(d))
			}
			return errDown
		})
	})
}

// hinted is a server's answer that says when to come back.
type hinted time.Duration

func (h hinted) Error() string                     { return "busy" }
func (h hinted) RetryAfter() (time.Duration, bool) { return time.Duration(h), true }

func TestSemantics08ServersHintWins(t *testing.T) {
	const sec = time.Second
	for _, c := range []struct {
		name                    string
		hint, backoff, max, end time.Duration
		low, high               time.Duration // of the wait
		reason                  error         // why there was none
	}{
		{"hint above the backoff", 10 * sec, sec, 0, time.Hour, 10 * sec, 11 * sec, nil},
		{"hint below the backoff", sec, 10 * sec, 0, time.Hour, 10 * sec, 11 * sec, nil},
		{"hint at its default limit", 5 * time.Minute, 0, 0, time.Hour, 300 * sec, 330 * sec, nil},
		{"hint above its default limit", 5*time.Minute + 1, 0, 0, time.Hour, 0, 0, retry.ErrHint},
		{"hint above its limit", 3 * sec, 0, 2 * sec, time.Hour, 0, 0, retry.ErrHint},
		{"hint beyond the deadline", time.Minute, 0, 0, 30 * sec, 0, 0, retry.ErrDeadline},
		{"no hint", 0, sec, 0, time.Hour, sec, sec, nil},
		{"negative hint", -time.Hour, sec, 0, time.Hour, sec, sec, nil},
	} {
		var least, most time.Duration = time.Hour, 0
		for range 100 {
			synctest.Test(t, func(t *testing.T) {
				p := retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(c.backoff), MaxHint: c.max})
				ctx, cancel := context.WithTimeout(t.Context(), c.end)
				defer cancel()
				start, calls := time.Now(), 0
				err := p.Do(ctx, func(context.Context) error { calls++; return fmt.Errorf("get: %w", hinted(c.hint)) })
				wait := time.Since(start)
				least, most = min(least, wait), max(most, wait)
				if c.reason != nil && (calls != 1 || wait != 0 || !errors.Is(err, c.reason) || errors.Is(err, context.DeadlineExceeded)) {
					t.Fatalf("%s: %v after %v and %d calls, want %v at once", c.name, err, wait, calls, c.reason)
				}
				if c.reason == nil && calls != 2 {
					t.Fatalf("%s: %d calls, want 2", c.name, calls)
				}
			})
		}
		if c.reason == nil && (least < c.low || most > c.high) {
			t.Errorf("%s: waits of %v to %v, want within %v to %v", c.name, least, most, c.low, c.high)
		}
		if c.high > c.low && (most-least) < (c.high-c.low)/2 {
			t.Errorf("%s: 100 waits lie between %v and %v: hardly spread", c.name, least, most)
		}
	}
}
