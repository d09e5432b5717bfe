package timeout_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/timeout"
)

func hang(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestErrorTellsOperationAndTime(t *testing.T) {
	plain := errors.New("no answer")
	for _, c := range []struct {
		name string
		err  error // of the function, once its time is up
		want string
	}{
		{"", context.DeadlineExceeded, "timeout: time was up after 1s"},
		{"users-db", context.DeadlineExceeded, "timeout: users-db: time was up after 1s"},
		{"users-db", plain, "timeout: users-db: time was up after 1s: no answer"},
		{"", fmt.Errorf("dial: %w", plain), "timeout: time was up after 1s: dial: no answer"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := timeout.New(timeout.Config{Name: c.name, After: time.Second})
			start := time.Now()
			err := p.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return c.err })
			if err.Error() != c.want {
				t.Errorf("%q, want %q", err, c.want)
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("took %v, want 1s", took)
			}
			e, ok := errors.AsType[*timeout.Error](err)
			if !ok || e.Name != c.name || e.After != time.Second || e.Err != c.err {
				t.Errorf("%#v", err)
			}
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, c.err) {
				t.Errorf("%v is not a DeadlineExceeded that wraps %v", err, c.err)
			}
			if ne, ok := errors.AsType[net.Error](fmt.Errorf("wrapped: %w", err)); ok && !ne.Timeout() {
				t.Error("Timeout() is false")
			}
			if !e.Timeout() {
				t.Error("Timeout() is false")
			}
		})
	}
}

// A function that returns context.Cause(ctx), as good ones do, must not say everything twice.
func TestCauseIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := timeout.New(timeout.Config{Name: "users-db", After: time.Second})
		err := p.Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
		if want := "timeout: users-db: time was up after 1s"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	})
}

func TestSuccessAfterTheTimeStaysASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := timeout.After(time.Second).Do(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return nil })
		if err != nil {
			t.Error(err)
		}
	})
}

func TestObserverHearsEachTimeoutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []mettle.Event
		var p *timeout.Policy
		p = timeout.New(timeout.Config{Name: "x", After: time.Second, Observer: func(ctx context.Context, e mettle.Event) {
			events = append(events, e)
			if ctx.Err() != nil {
				t.Error("the observer's context is the one that ended, want the caller's")
			}
			if len(events) == 1 { // observers may call back into the policy
				p.Do(ctx, hang)
			}
		}})
		p.Do(t.Context(), func(context.Context) error { return errors.New("in time") })
		p.Do(t.Context(), func(context.Context) error { return nil })
		if len(events) != 0 {
			t.Errorf("events of calls in time: %v", events)
		}
		p.Do(t.Context(), hang)
		want := mettle.Event{Kind: mettle.TimedOut, Policy: "timeout", Name: "x", Err: context.DeadlineExceeded, After: time.Second}
		if len(events) != 2 || events[0] != want || events[1] != want {
			t.Errorf("events %+v, want two of %+v", events, want)
		}
	})
}

// An HTTP or database call takes the time from Deadline, and its error says only that something timed out.
func TestNetworkDeadlineIsOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		defer server.Close()
		err := timeout.After(time.Second).Do(t.Context(), func(ctx context.Context) error {
			d, _ := ctx.Deadline()
			client.SetReadDeadline(d)
			_, err := client.Read(make([]byte, 1))
			return err
		})
		if _, ok := errors.AsType[*timeout.Error](err); !ok {
			t.Errorf("%v is no *timeout.Error", err)
		}
	})
}

func TestManyGoroutinesShareAPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := timeout.After(time.Second)
		var late, intime atomic.Int64
		for i := range 64 {
			go func() {
				d := time.Duration(i%2)*time.Second + time.Millisecond
				err := p.Do(t.Context(), func(ctx context.Context) error {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(d):
						return nil
					}
				})
				if errors.Is(err, context.DeadlineExceeded) {
					late.Add(1)
				} else if err == nil {
					intime.Add(1)
				}
			}()
		}
		time.Sleep(2 * time.Second)
		if late.Load() != 32 || intime.Load() != 32 {
			t.Errorf("%d late and %d in time, want 32 each", late.Load(), intime.Load())
		}
	})
}

func TestLongestTimeoutNeverFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := timeout.After(1<<63-1).Do(t.Context(), func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(1000 * time.Hour):
				return nil
			}
		})
		if err != nil {
			t.Errorf("a timeout of 292 years fired: %v", err)
		}
	})
}

// A panic passes, and the context ends all the same: nothing that hangs on it lives on.
func TestPanicEndsTheContext(t *testing.T) {
	var left context.Context
	func() {
		defer func() {
			if got := recover(); got != "boom" {
				t.Errorf("panicked with %v", got)
			}
		}()
		timeout.After(time.Hour).Do(t.Context(), func(ctx context.Context) error {
			left = ctx
			ctx.Done()
			panic("boom")
		})
	}()
	if left.Err() != context.Canceled {
		t.Errorf("Err is %v after the call, want %v", left.Err(), context.Canceled)
	}
}

func TestDescribe(t *testing.T) {
	d := timeout.New(timeout.Config{Name: "x", After: 1500 * time.Millisecond}).Describe()
	if d.Kind != "timeout" || d.Name != "x" || len(d.Metrics) != 1 || d.Metrics[0] != (mettle.Metric{Name: "after_seconds", Value: 1.5}) {
		t.Errorf("%+v", d)
	}
}

func TestSemantics09LoudConfig(t *testing.T) {
	for _, after := range []time.Duration{0, -time.Second} {
		c := timeout.Config{After: after}
		want := fmt.Sprintf("timeout: Config.After is %v, want more than 0", after)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("Validate: %v, want %s", err, want)
		}
		for name, build := range map[string]func(){
			"New":   func() { timeout.New(c) },
			"After": func() { timeout.After(after) },
		} {
			func() {
				defer func() {
					if got := recover(); got != want {
						t.Errorf("%s panicked with %v, want %s", name, got, want)
					}
				}()
				build()
			}()
		}
	}
}
