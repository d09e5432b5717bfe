package hedge_test

import (
	"context"
	"testing"
	"time"

	"github.com/mettle-go/mettle/hedge"
)

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), callerKey{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

func nothing(context.Context) error { return nil }

func asksDone(ctx context.Context) error { ctx.Done(); return nil }

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	fixed := hedge.New(hedge.Config{Delay: time.Hour})
	learning := hedge.New(hedge.Config{Quantile: 1 - 1e-9}) // needs ten thousand calls to know
	learning.Do(ctx, nothing)
	for name, c := range map[string]struct {
		max float64
		run func()
	}{
		"not hedged":                {4, func() { fixed.Do(ctx, nothing) }},
		"not hedged, asks for Done": {8, func() { fixed.Do(ctx, asksDone) }},
		"delay not known yet":       {0, func() { learning.Do(ctx, nothing) }},
	} {
		if got := testing.AllocsPerRun(1000, c.run); got > c.max {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.max)
		}
	}
}
