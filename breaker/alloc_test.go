package breaker_test

import (
	"context"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/internal/clock"
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	open := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour})
	open.Do(ctx, down)
	late := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour, Observer: func(context.Context, mettle.Event) {}})
	late.Do(ctx, down)
	closed := breaker.New(breaker.Config{Trip: breaker.Consecutive(1 << 30)})
	shifting := breaker.New(breaker.Config{})
	halfOpen := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: 1, Successes: 1<<16 - 1})
	halfOpen.Do(ctx, down)
	for halfOpen.State() != breaker.HalfOpen {
		halfOpen.Do(ctx, nothing)
	}
	busy := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour})
	full := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour})
	full.Do(ctx, down)
	if _, _, err := full.AcquireAt(ctx, clock.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	forced, disabled, observing := breaker.New(breaker.Config{}), breaker.New(breaker.Config{}), breaker.New(breaker.Config{})
	forced.ForceOpen()
	disabled.Disable()
	observing.ObserveOnly()
	budgets := map[string]func(){
		"closed":           func() { closed.Do(ctx, nothing) },
		"closed, Shift":    func() { shifting.Do(ctx, nothing) },
		"closed, failures": func() { closed.Do(ctx, down) },
		"open":             func() { open.Do(ctx, nothing) },
		"open, observer":   func() { late.Do(ctx, nothing) },
		"half-open probe":  func() { halfOpen.Do(ctx, nothing) },
		"half-open, full":  func() { full.Do(ctx, nothing) },
		"forced-open":      func() { forced.Do(ctx, nothing) },
		"disabled":         func() { disabled.Do(ctx, down) },
		"observe-only":     func() { observing.Do(ctx, nothing) },
		"permit": func() {
			p, _ := closed.Acquire(ctx)
			p.Done(nil)
		},
		"call": func() {
			mettle.Call(ctx, busy, func(context.Context) (int, error) { return 1, nil })
		},
	}
	for name, trip := range map[string]breaker.Trip{
		"calls":            breaker.Rate(breaker.Window{Calls: 1000, Failures: 1}),
		"time":             breaker.Rate(breaker.Window{Time: time.Second, Failures: 1}),
		"short time":       breaker.Rate(breaker.Window{Time: time.Millisecond, Failures: 1}),
		"calls, slow ones": breaker.Rate(breaker.Window{Calls: 1000, Failures: 1, Slow: 1, SlowAfter: time.Hour}),
		"time, slow calls": breaker.Rate(breaker.Window{Time: time.Second, Failures: 1, Slow: 1, SlowAfter: time.Hour}),
		"custom":           breaker.Custom(func() breaker.Detector { return never{} }),
	} {
		b := breaker.New(breaker.Config{Trip: trip})
		b.Do(ctx, nothing) // so that not all calls fail
		budgets[name] = func() { b.Do(ctx, nothing) }
		budgets[name+", half fail"] = func() {
			b.Do(ctx, nothing)
			b.Do(ctx, down)
		}
		budgets[name+", in a stack"] = func() {
			mettle.Call(ctx, b, func(context.Context) (int, error) { return 1, nil })
		}
		defer wantState(t, b, breaker.Closed)
	}
	for name, run := range budgets {
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
	for b, want := range map[*breaker.Breaker]breaker.State{
		open: breaker.Open, late: breaker.Open, full: breaker.HalfOpen, forced: breaker.ForcedOpen,
		disabled: breaker.Disabled, observing: breaker.Observing,
	} {
		wantState(t, b, want)
	}
}
