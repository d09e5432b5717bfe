package budget_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/budget"
)

func TestValidateNamesFieldAndValue(t *testing.T) {
	for _, c := range []struct {
		config budget.Config
		want   string // what the message says; empty for a good one
	}{
		{budget.Config{Ratio: 0.2}, ""},
		{budget.Config{Floor: 0.5}, ""},
		{budget.Config{Ratio: 1000, Floor: 1e6, TTL: 24 * time.Hour}, ""},
		{budget.Config{Ratio: 1e-6, TTL: time.Millisecond}, ""},
		{budget.Config{}, "Config.Ratio and Config.Floor are 0"},
		{budget.Config{Ratio: -1}, "Config.Ratio is -1"},
		{budget.Config{Ratio: 1001}, "Config.Ratio is 1001"},
		{budget.Config{Ratio: 1e-7}, "Config.Ratio is 1e-07"},
		{budget.Config{Ratio: math.NaN()}, "Config.Ratio is NaN"},
		{budget.Config{Ratio: math.Inf(1)}, "Config.Ratio is +Inf"},
		{budget.Config{Floor: -1}, "Config.Floor is -1"},
		{budget.Config{Floor: math.NaN()}, "Config.Floor is NaN"},
		{budget.Config{Floor: 1e7}, "Config.Floor is 1e+07"},
		{budget.Config{Ratio: 1, TTL: -1}, "Config.TTL is -1ns"},
		{budget.Config{Ratio: 1, TTL: 1}, "Config.TTL is 1ns"},
		{budget.Config{Ratio: 1, TTL: 25 * time.Hour}, "Config.TTL is 25h0m0s"},
	} {
		err := c.config.Validate()
		if c.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.config, err)
			}
			budget.New(c.config)
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "budget: "+c.want) || !strings.Contains(err.Error(), ", want ") {
			t.Errorf("%+v: %v, want budget: %s …", c.config, err, c.want)
			continue
		}
		if got := panicOf(func() { budget.New(c.config) }); got != err.Error() {
			t.Errorf("New panics with %v, want %v", got, err)
		}
	}
}

func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestOddCosts(t *testing.T) {
	b := budget.New(budget.Config{Ratio: 1})
	for range 10 {
		b.Earn()
	}
	for _, cost := range []float64{math.Inf(1), math.MaxFloat64, 1e13, 10.000001} {
		if _, ok := b.Withdraw(cost); ok {
			t.Errorf("a cost of %v was granted out of 10 tokens", cost)
		}
	}
	for _, cost := range []float64{-1, math.NaN(), math.Inf(-1)} {
		if panicOf(func() { b.Withdraw(cost) }) == nil {
			t.Errorf("a cost of %v did not panic", cost)
		}
	}
	for _, cost := range []float64{0, 0.1, 0.2, 0.3, 9.4} { // tenths are no floats, yet these are 10 in all
		if _, ok := b.Withdraw(cost); !ok {
			t.Errorf("a cost of %v was refused, %v left", cost, b.Available())
		}
	}
	if got := b.Available(); got != 0 {
		t.Errorf("%v tokens left, want none", got)
	}
}

func TestUnlimitedGrantsAll(t *testing.T) {
	budget.Unlimited.Earn()
	w, ok := budget.Unlimited.Withdraw(math.MaxFloat64)
	budget.Unlimited.Return(w)
	if !ok || !math.IsInf(budget.Unlimited.Available(), 1) {
		t.Errorf("%t, %v available", ok, budget.Unlimited.Available())
	}
}

// In an outage every run fails and asks for another. The runs of one client, and of a hundred with one budget, stay below
// (1 + ratio) × calls + floor × (time + TTL).
func TestLoadInAnOutageIsBounded(t *testing.T) {
	for _, clients := range []int{1, 100} {
		for _, pause := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				const ratio, floor, ttl = 0.2, 10, 10 * time.Second
				b := budget.New(budget.Config{Ratio: ratio, Floor: floor})
				var calls, runs atomic.Int64
				start := time.Now()
				var wg sync.WaitGroup
				for range clients {
					wg.Go(func() {
						for range 2000 / clients {
							b.Earn()
							calls.Add(1)
							runs.Add(1)
							for range 100 {
								if _, ok := b.Withdraw(1); !ok {
									break
								}
								runs.Add(1)
							}
							time.Sleep(pause)
						}
					})
				}
				wg.Wait()
				most := (1+ratio)*float64(calls.Load()) + floor*(time.Since(start)+ttl).Seconds()
				if got := float64(runs.Load()); got > most {
					t.Errorf("%d clients, a call every %v: %v runs of %d calls, want at most %v", clients, pause, got, calls.Load(), most)
				} else if pause < time.Minute && got < most*0.98 { // a minute's quiet wastes the floor
					t.Errorf("%d clients, a call every %v: %v runs of %d calls, allowed were %v", clients, pause, got, calls.Load(), most)
				}
			})
		}
	}
}

// Calls that succeed withdraw nothing, perhaps for an hour, and nobody but Earn tells the time then.
func TestEarnedInAnHourOfPeace(t *testing.T) {
	for _, c := range []struct {
		every    time.Duration
		min, max float64
	}{
		{time.Millisecond, 9.3 * 1000, 10 * 1000},
		{10 * time.Millisecond, 9.3 * 100, 10 * 100},
		{time.Second, 9, 10},
		{11 * time.Second, 1, 1}, // the last call is as new as can be
		{time.Hour, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := budget.New(budget.Config{Ratio: 1})
			for range min(time.Hour, 20000*c.every) / c.every {
				time.Sleep(c.every)
				b.Earn()
			}
			if got := b.Available(); got < c.min || got > c.max {
				t.Errorf("a call every %v: %v tokens, want %v to %v", c.every, got, c.min, c.max)
			}
		})
	}
}

// Nobody knows when the calls since the last clock reading came; they must not count as new.
func TestEarnedBeforeAQuietIsGone(t *testing.T) {
	for _, calls := range []int{1, 63, 64, 65, 100, 127, 1000, 12345} {
		synctest.Test(t, func(t *testing.T) {
			b := budget.New(budget.Config{Ratio: 1, Floor: 1})
			for range calls {
				b.Earn()
			}
			if got := b.Available(); got != float64(10+calls) {
				t.Errorf("%v tokens after %d calls, want %d", got, calls, 10+calls)
			}
			time.Sleep(10 * time.Second)
			if got := b.Available(); got != 10 {
				t.Errorf("%v tokens when all have expired, want 10", got)
			}
			b.Earn()
			if got := b.Available(); got != 11 {
				t.Errorf("%v tokens after another call, want 11", got)
			}
		})
	}
}

// One variable of a package serves all tests of its users: in bubbles, in real time, and in bubbles again.
var shared = budget.New(budget.Config{Ratio: 1, Floor: 1})

func TestOneBudgetInManyBubbles(t *testing.T) {
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			for range 100 {
				shared.Withdraw(1)
			}
			before := shared.Available()
			shared.Earn()
			if got := shared.Available(); got != before+1 {
				t.Errorf("%v tokens after a call, want %v", got, before+1)
			}
			time.Sleep(time.Hour)
			if got := shared.Available(); got != 10 {
				t.Errorf("%v tokens after an hour, want 10", got)
			}
		})
		shared.Earn()
		if _, ok := shared.Withdraw(1); !ok {
			t.Error("refused in real time")
		}
	}
}

// Whatever 64 goroutines do at once, tokens are neither made nor lost.
func TestConservationUnderConcurrency(t *testing.T) {
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			b := budget.New(budget.Config{Ratio: 0.5, Floor: 3})
			var earned, taken atomic.Int64
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for range 500 {
						switch rand.IntN(4) {
						case 0:
							if w, ok := b.Withdraw(1); ok && rand.IntN(2) == 0 {
								b.Return(w)
							} else if ok {
								taken.Add(1)
							}
						case 1:
							b.Available()
						default:
							b.Earn()
							earned.Add(1)
						}
					}
				})
			}
			wg.Wait() // no time has passed
			if got, want := b.Available(), 30+0.5*float64(earned.Load())-float64(taken.Load()); got != want {
				t.Errorf("%v tokens, want %v", got, want)
			}
		})
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	b := budget.New(budget.Config{Ratio: 0.2, Floor: 1e6})
	if got := testing.AllocsPerRun(1000, func() {
		b.Earn()
		w, _ := b.Withdraw(1)
		b.Return(w)
		b.Available()
	}); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

func BenchmarkEarn(b *testing.B) {
	budget := budget.New(budget.Config{Ratio: 0.2})
	for b.Loop() {
		budget.Earn()
	}
}

func BenchmarkEarnParallel(b *testing.B) {
	budget := budget.New(budget.Config{Ratio: 0.2})
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			budget.Earn()
		}
	})
}

func BenchmarkWithdraw(b *testing.B) {
	budget := budget.New(budget.Config{Ratio: 0.2, Floor: 1e6, TTL: 24 * time.Hour})
	for b.Loop() {
		budget.Withdraw(1)
	}
}

func BenchmarkWithdrawRefused(b *testing.B) {
	budget := budget.New(budget.Config{Ratio: 0.2})
	for b.Loop() {
		budget.Withdraw(1)
	}
}
