package breaker

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// nth trips at the nth failure.
type nth struct {
	failures atomic.Int64
	at       int64
}

func (d *nth) Trips(o Outcome) bool { return o.Failed && d.failures.Add(1) >= d.at }

func trips() map[string]Trip {
	return map[string]Trip{
		"consecutive": Consecutive(3),
		"calls":       Rate(Window{Calls: 20, Min: 5, Failures: 0.3}),
		"time":        Rate(Window{Time: time.Minute, Min: 5, Failures: 0.3}),
		"slow":        Rate(Window{Time: time.Minute, Min: 5, Failures: 0.3, Slow: 1, SlowAfter: time.Hour}),
		"custom":      Custom(func() Detector { return &nth{at: 5} }),
	}
}

// 64 goroutines call, fail and turn the breaker by hand. In half-open there are never more than Probes at a time, no call admitted in
// one period counts in another, and every change begins where the one before it ended.
func TestAStormOfCallsAndHands(t *testing.T) {
	const probes = 3
	for name, trip := range trips() {
		t.Run(name, func(t *testing.T) {
			var changes, turned atomic.Int64
			var ends [core.Observing + 1]atomic.Int64 // how often each state began, less how often it ended
			index := map[string]core.Phase{}
			for p := range core.Observing + 1 {
				index[p.String()] = p
			}
			b := New(Config{Trip: trip, Cooldown: time.Hour, Probes: probes, Successes: 4, Observer: func(_ context.Context, e mettle.Event) {
				if e.Kind == mettle.StateChanged {
					changes.Add(1)
					ends[index[e.From]].Add(-1)
					ends[index[e.To]].Add(1)
					if e.Failures > e.Calls+crowd || e.Calls > 1<<40 {
						t.Errorf("%d of %d failed", e.Failures, e.Calls)
					}
				}
			}})
			ends[core.Closed].Add(1)
			var mu sync.Mutex
			running := map[uint64]int{} // probes by generation
			together(func(i int) {
				rng := rand.New(rand.NewPCG(uint64(i), 7))
				ctx := context.Background()
				for range 2000 {
					if rng.IntN(400) == 0 {
						[]func(){b.ForceOpen, b.Disable, b.ObserveOnly, b.Reset, b.Reset, b.Reset}[rng.IntN(6)]()
						turned.Add(1)
						b.Describe()
					}
					token, _, err := b.AcquireAt(ctx, clockAfter(b.current.Load()))
					if err != nil {
						if b.State() == ForcedOpen && rng.IntN(20) == 0 {
							b.Reset()
						}
						continue
					}
					p := b.current.Load()
					probe := (p.Generation^token)&b.generations == 0 && p.Phase == core.HalfOpen
					if probe {
						mu.Lock()
						if running[p.Generation]++; running[p.Generation] > probes {
							t.Errorf("%d probes at a time", running[p.Generation])
						}
						mu.Unlock()
						runtime.Gosched()
					}
					if rng.IntN(5) == 0 {
						err = errLost
					}
					if probe {
						mu.Lock()
						running[p.Generation]--
						mu.Unlock()
					}
					b.Release(ctx, token, err)
				}
			})
			if changes.Load() < 100 || turned.Load() == 0 {
				t.Errorf("%d changes and %d turns tell nothing", changes.Load(), turned.Load())
			}
			for phase := range ends {
				want := int64(0)
				if State(phase) == b.State() {
					want = 1
				}
				if n := ends[phase].Load(); n != want {
					t.Errorf("%v began %d times more than it ended, want %d", core.Phase(phase), n, want)
				}
			}
			worksFromAnew(t, b)
		})
	}
}

// worksFromAnew is the proof that b still does what a breaker does: after a reset it opens, lets its probes in, and closes.
func worksFromAnew(t *testing.T, b *Breaker) {
	t.Helper()
	ctx := context.Background()
	b.Reset()
	for n := 0; b.State() != Open; n++ {
		if token, _, err := b.AcquireAt(ctx, clock.Unread); err != nil || n > 100 {
			t.Fatalf("failure %d: %v", n, err)
		} else {
			b.Release(ctx, token, errLost)
		}
	}
	var tokens []uint64
	at := clock.Instant(b.current.Load().Until)
	for {
		token, _, err := b.AcquireAt(ctx, at)
		if err != nil {
			break
		}
		tokens = append(tokens, token)
	}
	if len(tokens) != b.machine.Probes {
		t.Errorf("%d probes get in, want %d", len(tokens), b.machine.Probes)
	}
	for _, token := range tokens {
		b.Release(ctx, token, nil)
	}
	for range b.machine.Successes {
		if token, _, err := b.AcquireAt(ctx, at); err == nil {
			b.Release(ctx, token, nil)
		}
	}
	if b.State() != Closed {
		t.Errorf("%v after enough probes have succeeded", b.State())
	}
}

// Whatever happens to the calls that it admitted, closed or as probes, the breaker goes on working.
func TestFaultsInCallsLeaveItWorking(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, trip := range trips() {
		for fault, call := range map[string]func(b *Breaker){
			"panic": func(b *Breaker) { b.Do(context.Background(), func(context.Context) error { panic("fault") }) },
			"goexit": func(b *Breaker) {
				b.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
			},
			"canceled": func(b *Breaker) { b.Do(canceled, fail) },
			"lost":     func(b *Breaker) { b.Acquire(context.Background()) },
			"twice": func(b *Breaker) {
				if p, err := b.Acquire(context.Background()); err == nil {
					p.Done(errLost)
					p.Done(nil)
				}
			},
		} {
			t.Run(name+", "+fault, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := New(Config{Trip: trip, Cooldown: time.Second, Probes: 2, Successes: 3})
					for range 40 {
						var wg sync.WaitGroup
						wg.Go(func() {
							defer func() { recover() }()
							call(b)
						})
						wg.Wait()
						time.Sleep(time.Second / 4)
					}
					worksFromAnew(t, b)
					// And without help: what is left of lost probes goes by itself.
					for n := 0; b.State() != Open; n++ {
						b.Do(t.Context(), fail)
					}
					time.Sleep(time.Minute)
					var wg sync.WaitGroup
					for range 2 {
						wg.Go(func() {
							defer func() { recover() }()
							call(b)
						})
					}
					wg.Wait()
					for n := 0; b.State() != Closed; n++ {
						if n > 20 {
							t.Fatalf("still %v after %d minutes of good calls", b.State(), n)
						}
						b.Do(t.Context(), succeed)
						time.Sleep(time.Minute)
					}
				})
			})
		}
	}
}

// A Reset that meets a trip: either may be the last, and what comes out is one of the two whole states.
func TestAResetDuringATrip(t *testing.T) {
	var opened, closed int
	for round := range 3000 {
		b := New(Config{Trip: Consecutive(1), Cooldown: time.Hour})
		token, _, _ := b.AcquireAt(context.Background(), clock.Unread)
		var wg sync.WaitGroup
		start := make(chan struct{})
		wg.Go(func() { <-start; b.Release(context.Background(), token, errLost) })
		wg.Go(func() { <-start; b.Reset() })
		close(start)
		wg.Wait()
		p := b.current.Load()
		if p.word.Load() != 0 {
			t.Fatalf("round %d: the word is %x", round, p.word.Load())
		}
		switch b.State() {
		case Open: // the result was of the reset period's predecessor: this cannot be
			t.Fatalf("round %d: a call begun before the reset opened the breaker after it", round)
		case Closed:
			if b.trips.Load() == 1 {
				opened++ // and then closed
			} else {
				closed++
			}
		}
		if b.trips.Load() != b.openings.Load() {
			t.Fatalf("round %d: %d trips, %d openings", round, b.trips.Load(), b.openings.Load())
		}
	}
	t.Logf("the trip came first %d times, the reset %d times", opened, closed)
}
