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
	for name, run := range map[string]func(){
		"closed":           func() { closed.Do(ctx, nothing) },
		"closed, Shift":    func() { shifting.Do(ctx, nothing) },
		"closed, failures": func() { closed.Do(ctx, down) },
		"open":             func() { open.Do(ctx, nothing) },
		"half-open probe":  func() { halfOpen.Do(ctx, nothing) },
		"half-open, full":  func() { full.Do(ctx, nothing) },
		"permit": func() {
			p, _ := closed.Acquire(ctx)
			p.Done(nil)
		},
		"call": func() {
			mettle.Call(ctx, busy, func(context.Context) (int, error) { return 1, nil })
		},
	} {
		if n := testing.AllocsPerRun(200, run); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
	if open.State() != breaker.Open || full.State() != breaker.HalfOpen {
		t.Errorf("the runs changed the states to %v and %v", open.State(), full.State())
	}
}
