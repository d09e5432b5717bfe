package ratelimit_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/ratelimit"
)

// A crowd asks for tokens at instants that it knows before, so that no clock decides. In no window are there more than the
// limit, and none of the tokens that there are is left.
func TestACrowd(t *testing.T) {
	for name, c := range map[string]ratelimit.Config{
		"bucket": {Rate: 1000, Per: 1e6, Burst: 50},
		"strict": {Rate: 50, Per: 50_000, Strict: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := ratelimit.New(c)
			var clockwork atomic.Int64
			start := clock.Now()
			instants := make([][]int64, 64)
			var wg sync.WaitGroup
			for i := range instants {
				wg.Go(func() {
					for range 2000 {
						now := clockwork.Add(3)
						if _, _, err := l.AcquireAt(bg, start+clock.Instant(now)); err == nil {
							instants[i] = append(instants[i], now)
						}
					}
				})
			}
			wg.Wait()
			all := slices.Sorted(slices.Values(slices.Concat(instants...)))
			for i := range all {
				for j := i; j < len(all) && j < i+300; j++ {
					most := 50 + (all[j]-all[i])/1000
					if c.Strict {
						most = 50 * (1 + (all[j]-all[i])/50_000)
					}
					if n := int64(j - i + 1); n > most {
						t.Fatalf("%d calls from %d to %d, want at most %d", n, all[i], all[j], most)
					}
				}
			}
			want := 50 + 64*2000*3/1000
			if c.Strict {
				want = 50 * 8 // windows have begun
			}
			if len(all) < want-5 {
				t.Errorf("%d calls were admitted, want about %d", len(all), want)
			}
		})
	}
}

// At one instant there is one burst, however many ask for it.
func TestABurstIsGivenOutOnce(t *testing.T) {
	for name, c := range map[string]ratelimit.Config{
		"bucket": {Rate: 1, Burst: 50_000},
		"strict": {Rate: 50_000, Strict: true},
	} {
		l := ratelimit.New(c)
		now := clock.Now()
		var admitted atomic.Int64
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 2000 {
					if _, _, err := l.AcquireAt(bg, now); err == nil {
						admitted.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if n := admitted.Load(); n != 50_000 {
			t.Errorf("%s: %d of 50000 were admitted", name, n)
		}
	}
}

// Everything at once: calls that wait and leave, reservations kept and canceled, another rate. In the end everybody was answered, and
// the limiter is as good as new.
func TestACrowdOfAllKinds(t *testing.T) {
	for name, c := range map[string]ratelimit.Config{
		"bucket": {Rate: 100, Burst: 5, MaxWait: 200 * time.Millisecond},
		"strict": {Rate: 100, Strict: true, MaxWait: 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := ratelimit.New(c)
				var inside, admitted, rejected atomic.Int64
				var wg sync.WaitGroup
				for i := range 64 {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(i), 16))
						for range 100 {
							switch rng.IntN(10) {
							case 0:
								r := l.ReserveN(1 + rng.IntN(2))
								time.Sleep(time.Duration(rng.Int64N(int64(20 * time.Millisecond))))
								r.Cancel()
							case 1:
								if i == 0 {
									l.SetRate(50+rng.IntN(100), time.Second)
								}
							case 2:
								l.AllowN(1 + rng.IntN(3))
							case 3:
								l.Describe()
								l.Fresh()
							default:
								ctx, cancel := context.WithCancel(bg)
								timer := time.AfterFunc(time.Duration(rng.Int64N(int64(100*time.Millisecond))), cancel)
								err := guarded(func() error {
									return l.Do(ctx, func(context.Context) error {
										inside.Add(1)
										if rng.IntN(20) == 0 {
											panic("boom")
										}
										return nil
									})
								})
								if err == nil {
									admitted.Add(1)
								} else {
									wantRejection(t, err)
									rejected.Add(1)
								}
								timer.Stop()
								cancel()
							}
							time.Sleep(time.Duration(rng.Int64N(int64(50 * time.Millisecond))))
						}
					})
				}
				wg.Wait()
				if inside.Load() != admitted.Load() || admitted.Load() == 0 || rejected.Load() == 0 {
					t.Errorf("%d were inside, %d admitted, %d rejected", inside.Load(), admitted.Load(), rejected.Load())
				}
				wantMetric(t, l, "waiting", 0)
				time.Sleep(time.Minute)
				l.SetRate(c.Rate, c.Per)
				if !l.Fresh() {
					t.Error("something is left")
				}
				most := 5
				if c.Strict {
					most = 100
				}
				if wantMetric(t, l, "available", float64(most)); !l.AllowN(most) || l.Allow() {
					t.Errorf("want %d calls at once", most)
				}
			})
		})
	}
}

func guarded(fn func() error) error {
	defer func() { recover() }()
	return fn()
}

// Calls that run while the rate changes back and forth get nothing extra: time stands still, and there is only the one burst.
func TestSetRateUnderLoadAdmitsNothingExtra(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]ratelimit.Config{
			"bucket": {Rate: 1000, Burst: 500},
			"strict": {Rate: 500, Strict: true},
		} {
			l := ratelimit.New(c)
			var admitted atomic.Int64
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					for k := range 200 {
						if l.Allow() {
							admitted.Add(1)
						}
						if i == 0 {
							l.SetRate(400+k%100, 0)
						}
						if i == 1 {
							l.Reserve().Cancel()
						}
					}
				})
			}
			wg.Wait()
			most := int64(500)
			if n := admitted.Load(); n > most || n < 400 {
				t.Errorf("%s: %d were admitted, want 400 to %d", name, n, most)
			}
		}
	})
}
