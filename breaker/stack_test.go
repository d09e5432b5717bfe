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
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/layer"
	"github.com/mettle-go/mettle/timeout"
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

// The clock is read once: a breaker that needs the time takes the reading it is given and hands on its own. In most of a cooldown
// it needs none.
func TestTheClockReadingIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
		if _, at, _ := b.AcquireAt(bg, 42); at != 42 {
			t.Errorf("closed: 42 became %d", at)
		}
		trip(t, b)
		opened := clock.Now()
		if _, at, err := b.AcquireAt(bg, clock.Unread); err == nil || at != clock.Unread {
			t.Errorf("open: the clock was read: %d (%v)", at, err)
		}
		time.Sleep(4900 * time.Millisecond)
		if _, at, err := b.AcquireAt(bg, clock.Unread); err == nil || at != clock.Now() {
			t.Errorf("towards the end of the cooldown: %d, want %d (%v)", at, clock.Now(), err)
		}
		if _, at, err := b.AcquireAt(bg, opened.Add(5*time.Second)); at != opened.Add(5*time.Second) || err != nil {
			t.Errorf("open: an instant after the cooldown gives %d, %v", at, err)
		}
	})
}

// An instant that the caller knows counts from the first, whether or not others look at the clock yet.
func TestAKnownInstantIsLookedAtAlsoEarlyInACooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
		trip(t, b)
		if _, _, err := b.AcquireAt(bg, clock.Now().Add(5*time.Second-1)); err == nil {
			t.Error("an instant before the end is admitted")
		}
		if _, _, err := b.AcquireAt(bg, clock.Now().Add(5*time.Second)); err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
}

// What is handed inward after an observer ran must not be older than that: a timeout further in would take the observer's time off the
// function's.
func TestAnObserverTakesNoTimeFromAnInnerTimeout(t *testing.T) {
	for name, trip := range map[string]breaker.Trip{
		"untimed": breaker.Consecutive(1),
		"timed":   breaker.Rate(breaker.Window{Calls: 1, Slow: 1, SlowAfter: 10 * time.Second}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := breaker.New(breaker.Config{Trip: trip, Successes: 1, Observer: func(_ context.Context, e mettle.Event) {
					if e.To == "half-open" {
						time.Sleep(time.Minute)
					}
				}})
				b.Do(bg, down)
				time.Sleep(5 * time.Second)
				err := mettle.Compose(b, timeout.After(time.Second)).Do(bg, func(ctx context.Context) error {
					time.Sleep(time.Second - 1)
					return ctx.Err()
				})
				if err != nil {
					t.Errorf("the observer's minute counts: %v", err)
				}
				wantState(t, b, breaker.Closed) // nor is the probe slow
			})
		})
	}
}
