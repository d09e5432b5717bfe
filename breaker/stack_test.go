package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/internal/layer"
)

var (
	_ mettle.Gate      = (*breaker.Breaker)(nil)
	_ mettle.Describer = (*breaker.Breaker)(nil)
	_ layer.Gate       = (*breaker.Breaker)(nil)
)

// Two breakers, one around the other: while the inner one rejects, the outer one neither counts nor trips.
func TestSemantics2AnOpenInnerBreakerDoesNotOpenTheOuterOne(t *testing.T) {
	outer := breaker.New(breaker.Config{Name: "outer", Trip: breaker.Consecutive(2)})
	inner := breaker.New(breaker.Config{Name: "inner", Trip: breaker.Consecutive(1)})
	stack := mettle.Compose(outer, inner)
	if err := stack.Do(bg, down); err != errDown {
		t.Fatal(err)
	}
	for range 10 {
		rejected, ok := errors.AsType[*mettle.RejectedError](stack.Do(bg, nothing))
		if !ok || rejected.Name != "inner" {
			t.Fatalf("got %v, want a rejection by the inner one", rejected)
		}
	}
	wantState(t, inner, breaker.Open)
	wantState(t, outer, breaker.Closed)
	if calls := outer.Describe().Metrics[0].Value; calls != 1 {
		t.Errorf("the outer one counts %v calls, want the one that ran", calls)
	}
}

// In a stack permits come back the same way as from Do.
func TestSemantics4PermitsComeBackInAStack(t *testing.T) {
	for name, fn := range map[string]func(){"panic": func() { panic("boom") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Successes: 1})
				run := func() {
					done := make(chan struct{})
					go func() {
						defer close(done)
						defer func() { recover() }()
						mettle.Call(bg, mettle.Compose(b), func(context.Context) (int, error) {
							fn()
							return 1, nil
						})
					}()
					<-done
				}
				run()
				wantState(t, b, breaker.Open)
				time.Sleep(time.Minute)
				run() // a probe that does not return
				wantState(t, b, breaker.Open)
				time.Sleep(time.Minute)
				if v, err := mettle.Call(bg, mettle.Compose(b), func(context.Context) (int, error) { return 1, nil }); v != 1 || err != nil {
					t.Errorf("got %d, %v", v, err)
				}
				wantState(t, b, breaker.Closed)
			})
		})
	}
}

// The clock is read once: a breaker that needs the time takes the reading it is given and hands on its own.
func TestTheClockReadingIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
		if _, at, _ := b.AcquireAt(bg, 42); at != 42 {
			t.Errorf("closed: 42 became %d", at)
		}
		trip(t, b)
		_, now, err := b.AcquireAt(bg, -1<<63)
		if err == nil || now == -1<<63 {
			t.Errorf("open: the clock was not read (%v)", err)
		}
		if _, at, err := b.AcquireAt(bg, now.Add(5*time.Second)); at != now.Add(5*time.Second) || err != nil {
			t.Errorf("open: an instant after the cooldown gives %d, %v", at, err)
		}
	})
}
