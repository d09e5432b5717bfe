package retry_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

const sec = time.Second

// planned returns the waits of a policy whose function always fails.
func planned(t *testing.T, b retry.Backoff, n int) (waits []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.New(retry.Config{Attempts: n + 1, Backoff: b, Observer: func(_ context.Context, e mettle.Event) {
			waits = append(waits, e.Wait)
		}})
		fn, _ := script(errDown)
		p.Do(t.Context(), fn)
	})
	return waits
}

func TestShapes(t *testing.T) {
	for _, c := range []struct {
		name string
		b    retry.Backoff
		want []time.Duration
	}{
		{"no wait", retry.Constant(0), []time.Duration{0, 0, 0}},
		{"constant", retry.Constant(sec), []time.Duration{sec, sec, sec}},
		{"linear", retry.Linear(sec, 3*sec), []time.Duration{sec, 2 * sec, 3 * sec, 3 * sec}},
		{"sequence", retry.Sequence(sec, 0, 5*sec), []time.Duration{sec, 0, 5 * sec, 5 * sec}},
		{"func", retry.Func(func(n int) time.Duration { return time.Duration(n-2) * sec }), []time.Duration{0, 0, sec}},
		{"default, no jitter", retry.Backoff{Jitter: retry.NoJitter}, []time.Duration{sec / 10, sec / 5, 2 * sec / 5}},
		{"factor", retry.Backoff{Base: sec, Factor: 3, Max: 20 * sec, Jitter: retry.NoJitter}, []time.Duration{sec, 3 * sec, 9 * sec, 20 * sec}},
		{"long base", retry.Backoff{Base: time.Hour, Jitter: retry.NoJitter}, []time.Duration{time.Hour, time.Hour}},
		{"default cap", retry.Backoff{Base: 20 * sec, Jitter: retry.NoJitter}, []time.Duration{20 * sec, 30 * sec, 30 * sec}},
		{"infinite factor", retry.Backoff{Base: sec, Factor: math.Inf(1), Jitter: retry.NoJitter}, []time.Duration{sec, 30 * sec}},
	} {
		if got := planned(t, c.b, len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJitterRanges(t *testing.T) {
	exp := func(j retry.Jitter) retry.Backoff { return retry.Backoff{Base: sec, Factor: 1, Jitter: j} }
	for _, c := range []struct {
		name      string
		b         retry.Backoff
		low, high time.Duration
	}{
		{"default", retry.Backoff{Base: sec, Factor: 1}, 0, sec},
		{"full", exp(retry.FullJitter), 0, sec},
		{"equal", exp(retry.EqualJitter), sec / 2, sec},
		{"spread", exp(retry.Spread(0.25)), 3 * sec / 4, 5 * sec / 4},
		{"spread 1", exp(retry.Spread(1)), 0, 2 * sec},
		{"exponential, made", exp(retry.NoJitter).WithJitter(retry.EqualJitter), sec / 2, sec},
		{"constant, full", retry.Constant(sec).WithJitter(retry.FullJitter), 0, sec},
		{"linear, spread", retry.Linear(sec, sec).WithJitter(retry.Spread(0.5)), sec / 2, 3 * sec / 2},
		{"func, equal", retry.Func(func(int) time.Duration { return sec }).WithJitter(retry.EqualJitter), sec / 2, sec},
	} {
		waits := planned(t, c.b, 400)
		slices.Sort(waits)
		span := c.high - c.low
		if waits[0] < c.low || waits[399] > c.high {
			t.Errorf("%s: %v to %v, want within %v to %v", c.name, waits[0], waits[399], c.low, c.high)
		}
		// Of 400 uniform draws some fall into the outer tenths, but for a chance of 2·0.9^400.
		if waits[0] > c.low+span/10 || waits[399] < c.high-span/10 {
			t.Errorf("%s: %v to %v, want about %v to %v", c.name, waits[0], waits[399], c.low, c.high)
		}
	}
}

func TestDecorrelatedFollowsThePreviousWait(t *testing.T) {
	waits := planned(t, retry.Backoff{Base: sec, Max: 10 * sec, Jitter: retry.Decorrelated}, 400)
	prev := sec
	for i, w := range waits {
		if w < sec || w > min(3*prev, 10*sec) {
			t.Errorf("wait %d is %v after %v", i+1, w, prev)
		}
		prev = w
	}
	if slices.Max(waits) != 10*sec {
		t.Errorf("the cap of 10s was never reached in %d waits", len(waits))
	}
}

// What the caller does to his slice afterwards is his own affair.
func TestSequenceCopiesItsWaits(t *testing.T) {
	waits := []time.Duration{sec, 2 * sec}
	b := retry.Sequence(waits...)
	waits[0] = time.Hour
	if got := planned(t, b, 2); got[0] != sec {
		t.Errorf("waits %v, want 1s first", got)
	}
	plain := retry.Constant(sec)
	plain.WithJitter(retry.FullJitter)
	if got := planned(t, plain, 3); !slices.Equal(got, []time.Duration{sec, sec, sec}) {
		t.Errorf("WithJitter changed its receiver: %v", got)
	}
}

func TestSemantics09LoudConfig(t *testing.T) {
	jittered := retry.Constant(sec)
	jittered.Jitter = retry.NoJitter
	mixed := retry.Constant(sec)
	mixed.Base = sec
	for _, c := range []struct {
		config retry.Config
		want   string
	}{
		{retry.Config{Attempts: -2}, "retry: Config.Attempts is -2, want -1 or more"},
		{retry.Config{MaxHint: -1}, "retry: Config.MaxHint is -1ns, want 0 or more"},
		{retry.Config{Backoff: retry.Backoff{Base: -1}}, "retry: Config.Backoff.Base is -1ns, want 0 or more"},
		{retry.Config{Backoff: retry.Backoff{Factor: 0.5}}, "retry: Config.Backoff.Factor is 0.5, want 0 or at least 1"},
		{retry.Config{Backoff: retry.Backoff{Factor: math.NaN()}}, "retry: Config.Backoff.Factor is NaN, want 0 or at least 1"},
		{retry.Config{Backoff: retry.Backoff{Max: -1}}, "retry: Config.Backoff.Max is -1ns, want 0 or more"},
		{retry.Config{Backoff: retry.Backoff{Max: sec / 20}}, "retry: Config.Backoff.Max is 50ms, want at least Base, which is 100ms"},
		{retry.Config{Backoff: retry.Backoff{Base: sec, Max: sec - 1}}, "retry: Config.Backoff.Max is 999.999999ms, want at least Base, which is 1s"},
		{retry.Config{Backoff: mixed}, "retry: Config.Backoff is made by Constant, Linear, Sequence or Func and has fields set too, want one of them"},
		{retry.Config{Backoff: jittered}, "retry: Config.Backoff is made by Constant, Linear, Sequence or Func and has fields set too, want one of them"},
	} {
		if err := c.config.Validate(); err == nil || err.Error() != c.want {
			t.Errorf("Validate: %v, want %s", err, c.want)
		}
		panics(t, c.want, func() { retry.New(c.config) })
	}
	for _, c := range []retry.Config{{}, {Attempts: 1}, {Backoff: retry.Backoff{Factor: 1}}, {Backoff: retry.Backoff{Base: time.Hour}}, {Backoff: retry.Constant(0)}} {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	panics(t, "retry: wait 1 is -1s, want 0 or more", func() { retry.Constant(-sec) })
	panics(t, "retry: wait 2 is -1s, want 0 or more", func() { retry.Sequence(sec, -sec) })
	panics(t, "retry: Sequence of no waits, want 1 or more", func() { retry.Sequence() })
	panics(t, "retry: Linear of 0s at most 1s, want 0 < d <= max", func() { retry.Linear(0, sec) })
	panics(t, "retry: Linear of 2s at most 1s, want 0 < d <= max", func() { retry.Linear(2*sec, sec) })
	panics(t, "retry: Func of nil, want a function", func() { retry.Func(nil) })
	for _, ratio := range []float64{0, -0.5, 1.01, math.NaN(), math.Inf(1)} {
		panics(t, fmt.Sprintf("retry: Spread of %v, want more than 0 and at most 1", ratio), func() { retry.Spread(ratio) })
	}
	panics(t, "retry: WithJitter(Decorrelated) on a made backoff, want Backoff{Base, Max, Jitter: Decorrelated}", func() {
		retry.Constant(sec).WithJitter(retry.Decorrelated)
	})
}

func panics(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panicked with %v, want %s", got, want)
		}
	}()
	fn()
}
