package ratelimit_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/ratelimit"
)

func wantAllocs(t *testing.T, what string, want float64, run func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, run); got != want {
		t.Errorf("%s: %v allocations, want %v", what, got, want)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	free := ratelimit.New(ratelimit.Config{Rate: 1e9, Burst: 1e9})
	wantAllocs(t, "Allow", 0, func() { free.Allow() })
	wantAllocs(t, "AllowN", 0, func() { free.AllowN(2) })
	wantAllocs(t, "Do", 0, func() { free.Do(ctx, nothing) })
	wantAllocs(t, "Acquire", 0, func() {
		p, _ := free.Acquire(ctx)
		p.Done(nil)
	})
	wantAllocs(t, "a call", 0, func() {
		mettle.Call(ctx, free, func(context.Context) (int, error) { return 1, nil })
	})
	wantAllocs(t, "Reserve", 1, func() { free.Reserve() })
	for name, c := range map[string]ratelimit.Config{
		"bucket": {Rate: 1, Per: 24 * time.Hour, Burst: 1},
		"strict": {Rate: 1, Per: 24 * time.Hour, Strict: true},
	} {
		t.Run(name, func(t *testing.T) {
			spent := ratelimit.New(c)
			spent.Allow()
			c.MaxWait = time.Minute
			patient := ratelimit.New(c)
			patient.Allow()
			wantAllocs(t, "a rejected Allow", 0, func() { spent.Allow() })
			wantAllocs(t, "a rejected Do", 0, func() { spent.Do(ctx, nothing) })
			wantAllocs(t, "a wait that would be too long", 0, func() { patient.Do(ctx, nothing) })
		})
	}
}

// The first wait makes a timer, and later ones use it again.
func TestAllocationsOfAWait(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = time.Minute
		l := ratelimit.New(c)
		for range 5 {
			l.Do(bg, nothing)
		}
		wantAllocs(t, "a wait", 0, func() { l.Do(bg, nothing) })
		for _, m := range l.Describe().Metrics {
			if m.Name == "waited" && m.Value < 200 {
				t.Errorf("only %v of the calls waited", m.Value)
			}
		}
	})
}

func TestACallThatNeedNotWaitStartsNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 1, Burst: 3, MaxWait: time.Minute})
		wantAllocs(t, "a free call that might wait", 0, func() { // a new timer would be one
			l.Do(bg, nothing)
			time.Sleep(time.Second)
		})
	})
}
