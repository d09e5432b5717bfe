package breaker_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/breaker"
)

// after returns a function that takes d.
func after(d time.Duration, err error) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)
		return err
	}
}

func TestRateOverCalls(t *testing.T) {
	b := breaker.New(breaker.Config{Trip: breaker.Rate(breaker.Window{Calls: 30, Min: 30, Failures: 0.1})})
	for i := range 28 {
		b.Do(bg, []func(context.Context) error{down, nothing}[min(i, 1)])
	}
	b.Do(bg, down)
	b.Do(bg, nothing) // 2 of 30
	wantState(t, b, breaker.Closed)
	b.Do(bg, nothing) // the first failure is the 31st back
	b.Do(bg, down)
	wantState(t, b, breaker.Closed)
	b.Do(bg, down) // 3 of 30
	wantState(t, b, breaker.Open)
}

func TestRateOverTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Rate(breaker.Window{Time: 16 * time.Second, Min: 3})})
		for range 10 { // never 3 calls within 16 s
			b.Do(bg, down)
			time.Sleep(8 * time.Second)
		}
		wantState(t, b, breaker.Closed)
		time.Sleep(time.Minute)
		b.Do(bg, down)
		b.Do(bg, down)
		wantState(t, b, breaker.Closed)
		b.Do(bg, nothing) // a success reaches Min
		wantState(t, b, breaker.Open)
	})
}

// The defaults: 20 calls, or all of a shorter window, and the half.
func TestRateDefaults(t *testing.T) {
	for _, tc := range []struct {
		window breaker.Window
		calls  int
	}{
		{breaker.Window{Calls: 100}, 20}, {breaker.Window{Calls: 5}, 5}, {breaker.Window{Time: time.Minute}, 20},
		{breaker.Window{Time: time.Minute, Slow: 1, SlowAfter: time.Hour}, 20}, {breaker.Window{Calls: 1}, 1},
	} {
		b := breaker.New(breaker.Config{Trip: breaker.Rate(tc.window)})
		if n := trip(t, b); n != tc.calls {
			t.Errorf("%v opens after %d failures, want %d", tc.window, n, tc.calls)
		}
		b.Reset()
		for n := range 1000 {
			b.Do(bg, []func(context.Context) error{nothing, nothing, nothing, down, down}[n%5])
		}
		if tc.calls > 1 && tc.window.Calls != 5 {
			wantState(t, b, breaker.Closed)
		}
	}
}

func TestSlowCallsTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, w := range []breaker.Window{{Calls: 10, Min: 4}, {Time: time.Hour, Min: 4}} {
			w.Failures, w.Slow, w.SlowAfter = 1, 0.5, time.Second
			b := breaker.New(breaker.Config{Trip: breaker.Rate(w)})
			ctx, cancel := context.WithCancel(bg)
			cancel()
			b.Do(ctx, after(time.Hour, errDown)) // ignored: neither
			b.Do(bg, after(time.Second-2*time.Microsecond, nil))
			b.Do(bg, after(time.Second, errDown)) // failures may be slow too
			b.Do(bg, nothing)
			wantState(t, b, breaker.Closed)
			b.Do(bg, after(time.Second, nil)) // 2 of 4
			wantState(t, b, breaker.Open)
			if slow := metric(t, b, "slow"); slow != 2 {
				t.Errorf("%v slow calls, want 2", slow)
			}
		}
	})
}

func TestASlowProbeOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Cooldown: 10 * time.Second, Successes: 2, Trip: breaker.Rate(breaker.Window{
			Calls: 4, Slow: 0.5, SlowAfter: time.Second,
		})})
		for range 4 {
			b.Do(bg, after(2*time.Second, nil))
		}
		wantState(t, b, breaker.Open)
		time.Sleep(10 * time.Second)
		b.Do(bg, nothing)
		wantState(t, b, breaker.HalfOpen)
		if err := b.Do(bg, after(2*time.Second, nil)); err != nil {
			t.Fatalf("the second probe: %v", err)
		}
		wantState(t, b, breaker.Open)
		time.Sleep(time.Minute)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		b.Do(ctx, after(2*time.Second, errDown)) // ignored, however slow
		wantState(t, b, breaker.HalfOpen)
		b.Do(bg, nothing)
		b.Do(bg, nothing)
		wantState(t, b, breaker.Closed)
	})
}

// The permit of a timed call carries its begin through Acquire and Done, and through a Stack.
func TestSlowCallsInTwoSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Rate(breaker.Window{Calls: 10, Slow: 1, SlowAfter: time.Second})})
		p, err := b.Acquire(bg)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p.Done(nil)
		if slow := metric(t, b, "slow"); slow != 1 {
			t.Errorf("%v slow calls, want 1", slow)
		}
	})
}

func TestSemantics9BadWindowsAreLoud(t *testing.T) {
	const which = "breaker: Config.Trip's Window."
	for _, tc := range []struct {
		window breaker.Window
		want   string
	}{
		{breaker.Window{}, "Calls is 0, want 1 or more, or Window.Time set instead"},
		{breaker.Window{Calls: 5, Time: time.Second}, "Time is 1s, want 0 where Window.Calls is set, which is 5"},
		{breaker.Window{Calls: -5, Time: time.Second}, "Time is 1s, want 0"},
		{breaker.Window{Calls: -1}, "Calls is -1, want 1 to 1048576"},
		{breaker.Window{Calls: 1<<20 + 1}, "Calls is 1048577, want 1 to 1048576"},
		{breaker.Window{Time: -1}, "Time is -1ns, want 1ms or more"},
		{breaker.Window{Time: time.Millisecond - 1}, "Time is 999.999µs, want 1ms or more"},
		{breaker.Window{Calls: 5, Min: -1}, "Min is -1, want 0 or more"},
		{breaker.Window{Calls: 5, Min: 6}, "Min is 6, want at most Window.Calls, which is 5"},
		{breaker.Window{Calls: 5, Failures: -0.1}, "Failures is -0.1, want 0 to 1"},
		{breaker.Window{Calls: 5, Failures: 50}, "Failures is 50, want 0 to 1"},
		{breaker.Window{Calls: 5, Failures: math.NaN()}, "Failures is NaN, want 0 to 1"},
		{breaker.Window{Calls: 5, Slow: math.NaN(), SlowAfter: 1}, "Slow is NaN, want 0 to 1"},
		{breaker.Window{Calls: 5, Slow: 1.5, SlowAfter: 1}, "Slow is 1.5, want 0 to 1"},
		{breaker.Window{Calls: 5, Slow: 0.5}, "SlowAfter is 0s, want more than 0 where Window.Slow is set, which is 0.5"},
		{breaker.Window{Calls: 5, SlowAfter: time.Second}, "Slow is 0, want more than 0 where Window.SlowAfter is set, which is 1s"},
		{breaker.Window{Calls: 5, Slow: 0.5, SlowAfter: -1}, "SlowAfter is -1ns, want 0, or 1µs to 24h0m0s"},
		{breaker.Window{Calls: 5, Slow: 0.5, SlowAfter: 25 * time.Hour}, "SlowAfter is 25h0m0s, want 0, or 1µs to 24h0m0s"},
	} {
		err := breaker.Config{Trip: breaker.Rate(tc.window)}.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), which+tc.want) {
			t.Errorf("%v: Validate says %v, want %s", tc.window, err, which+tc.want)
		}
	}
	for _, good := range []breaker.Window{
		{Calls: 1}, {Calls: 1 << 20, Min: 1 << 20, Failures: 1}, {Time: time.Millisecond, Min: math.MaxInt32}, {Time: math.MaxInt64, Failures: 1e-9},
		{Calls: 1, Slow: 1, SlowAfter: time.Microsecond}, {Time: time.Second, Slow: 1e-9, SlowAfter: 24 * time.Hour},
	} {
		wantState(t, breaker.New(breaker.Config{Trip: breaker.Rate(good)}), breaker.Closed)
	}
}
