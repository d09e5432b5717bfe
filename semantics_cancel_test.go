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

func TestSemantics05CancellationHasACause(t *testing.T) {
	errLeft := errors.New("the caller left")
	named := func(name string, d time.Duration) mettle.Policy {
		return timeout.New(timeout.Config{Name: name, After: d})
	}
	parent := func(d time.Duration, cause error) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, d, cause)
		}
	}
	leaves := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(d, func() { cancel(errLeft) })
			return ctx, func() { cancel(nil) }
		}
	}
	for _, c := range []struct {
		name   string
		parent func(context.Context) (context.Context, context.CancelFunc)
		p      mettle.Policy
		err    error         // of the function's context
		cause  string        // of it
		took   time.Duration // by the clock
		named  string        // whose timeout the error tells of; "" of none
	}{
		{"own", nil, named("inner", time.Second), context.DeadlineExceeded, "timeout: inner: time was up after 1s", time.Second, "inner"},
		{"inner of two is earlier", nil, mettle.Compose(named("outer", time.Minute), named("inner", time.Second)),
			context.DeadlineExceeded, "timeout: inner: time was up after 1s", time.Second, "inner"},
		{"outer of two is earlier", nil, mettle.Compose(named("outer", time.Second), named("inner", time.Minute)),
			context.DeadlineExceeded, "timeout: outer: time was up after 1s", time.Second, "outer"},
		{"outer of three, foreign policies between", nil, mettle.Compose(named("outer", time.Second), pass, named("middle", time.Hour), pass, named("inner", time.Minute)),
			context.DeadlineExceeded, "timeout: outer: time was up after 1s", time.Second, "outer"},
		{"the parent's deadline is earlier", parent(time.Second, errLeft), named("own", time.Minute), context.DeadlineExceeded, "the caller left", time.Second, ""},
		{"the parent's deadline is later", parent(time.Minute, errLeft), named("own", time.Second), context.DeadlineExceeded, "timeout: own: time was up after 1s", time.Second, "own"},
		{"the parent leaves", leaves(time.Second), named("own", time.Minute), context.Canceled, "the caller left", time.Second, ""},
		{"the parent leaves too late", leaves(time.Minute), named("own", time.Second), context.DeadlineExceeded, "timeout: own: time was up after 1s", time.Second, "own"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := t.Context(), func() {}
			if c.parent != nil {
				ctx, cancel = c.parent(ctx)
			}
			defer cancel()
			start := time.Now()
			err := c.p.Do(ctx, func(ctx context.Context) error {
				child, cancel := context.WithCancel(ctx) // what drivers do
				defer cancel()
				<-child.Done()
				if child.Err() != c.err || ctx.Err() != c.err || fmt.Sprint(context.Cause(child)) != c.cause {
					t.Errorf("%s: Err %v, cause %v, want %v and %s", c.name, ctx.Err(), context.Cause(child), c.err, c.cause)
				}
				return child.Err()
			})
			if took := time.Since(start); took != c.took {
				t.Errorf("%s: took %v, want %v", c.name, took, c.took)
			}
			e, ok := errors.AsType[*timeout.Error](err)
			if ok != (c.named != "") || ok && e.Name != c.named {
				t.Errorf("%s: %v, want the timeout %q", c.name, err, c.named)
			}
			if !errors.Is(err, c.err) || c.named == "" && err != c.err {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

// A function that needs no context until late gets the right one then.
func TestSemantics05LateQuestionGetsTheSameAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := timeout.After(time.Second).Do(t.Context(), func(ctx context.Context) error {
			time.Sleep(time.Hour)
			select {
			case <-ctx.Done():
			default:
				t.Error("Done is open an hour after the deadline")
			}
			return ctx.Err()
		})
		if _, ok := errors.AsType[*timeout.Error](err); !ok {
			t.Errorf("%v is no *timeout.Error", err)
		}
	})
}

// Do waits for a function that heeds nothing; it does not abandon it.
func TestSemantics05FunctionIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := timeout.After(time.Second).Do(t.Context(), func(context.Context) error { time.Sleep(time.Hour); return nil })
		if err != nil || time.Since(start) != time.Hour {
			t.Errorf("%v after %v, want nil after 1h", err, time.Since(start))
		}
	})
}

// Whatever way a call ends, nothing of it stays behind. (That nothing ends only later is what package mettletest checks, for each
// policy.)
func TestSemantics06NoGoroutineOutlivesItsCall(t *testing.T) {
	fns := map[string]func(context.Context) error{
		"success": nothing, "failure": down, "hang": hang,
		"child contexts": func(ctx context.Context) error {
			child, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			context.AfterFunc(child, func() {})
			return hang(child)
		},
	}
	for name, fn := range fns {
		synctest.Test(t, func(t *testing.T) {
			stack := mettle.Compose(
				timeout.After(time.Minute),
				retry.New(retry.Config{Attempts: 10, Backoff: retry.Constant(time.Second)}),
				rivals(2),
				breaker.New(breaker.Config{}),
				bulkhead.New(bulkhead.Config{Limit: 1, Queue: 10, MaxWait: 2 * time.Second}),
				timeout.After(3*time.Second),
			)
			// Nothing ends this context, so that a goroutine which stays is there at the end of the bubble, and fails it.
			for range 10 {
				stack.Do(foreignContext{context.Background()}, fn)
			}
			if name == "hang" {
				ctx, cancel := context.WithCancel(context.Background())
				time.AfterFunc(time.Second/2, cancel)
				stack.Do(foreignContext{ctx}, fn)
			}
		})
	}
}

// foreignContext hides from package context what its parent is, so that each tie to it takes a goroutine.
type foreignContext struct{ context.Context }

func (foreignContext) Value(any) any { return nil }
