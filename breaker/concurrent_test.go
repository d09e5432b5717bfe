package breaker

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

const crowd = 64

// together runs fn in many goroutines at once and waits for them.
func together(fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range crowd {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// clockAfter returns the first instant at which p, if it is open, admits probes.
func clockAfter(p *period) clock.Instant {
	if p.Phase == core.Open {
		return clock.Instant(p.Until)
	}
	return clock.Instant(p.Since)
}

// Probes of one period are counted from the outside while many goroutines open, probe and close the breaker.
func TestHalfOpenNeverAdmitsMoreThanProbes(t *testing.T) {
	const probes = 3
	var opened, probing, reopened, closed atomic.Int64
	b := New(Config{
		// Overdue probes would be more at a time, rightly: an hour is never over.
		Trip: Consecutive(3), Cooldown: time.Hour, Probes: probes, Successes: 5,
		Observer: func(_ context.Context, e mettle.Event) {
			if e.Kind != mettle.StateChanged {
				return
			}
			switch e.From + ">" + e.To {
			case "closed>open":
				opened.Add(1)
			case "open>half-open":
				probing.Add(1)
			case "half-open>open":
				reopened.Add(1)
			case "half-open>closed":
				closed.Add(1)
			default:
				t.Errorf("a change from %s to %s", e.From, e.To)
			}
		},
	})
	var mu sync.Mutex
	running := map[uint64]int{} // by generation, of probes
	together(func(i int) {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		ctx := context.Background()
		for range 3000 {
			p := b.current.Load()
			// The instant of the probes is chosen, so that nothing has to wait for it.
			token, _, err := b.AcquireAt(ctx, clockAfter(p))
			if err != nil {
				continue
			}
			p = b.current.Load()
			probe := p.Generation == token && p.Phase == core.HalfOpen
			if probe {
				mu.Lock()
				running[token]++
				if n := running[token]; n > probes {
					t.Errorf("%d probes at a time", n)
				}
				mu.Unlock()
			}
			if rng.IntN(8) == 0 {
				err = errLost
			}
			if probe {
				mu.Lock()
				running[token]--
				mu.Unlock()
			}
			b.Release(ctx, token, err)
		}
	})
	if opened.Load() == 0 || probing.Load() == 0 || reopened.Load() == 0 || closed.Load() == 0 {
		t.Errorf("the run tells nothing: opened %d, probing %d, reopened %d, closed %d", opened.Load(), probing.Load(), reopened.Load(), closed.Load())
	}
	// Each period begins once and ends once, but for the last.
	if in, out := opened.Load()+reopened.Load(), probing.Load(); in-out < 0 || in-out > 1 {
		t.Errorf("opened %d times, went half-open %d times", in, out)
	}
	if in, out := probing.Load(), reopened.Load()+closed.Load(); in-out < 0 || in-out > 1 {
		t.Errorf("went half-open %d times, left it %d times", in, out)
	}
	if got, want := b.openings.Load(), uint64(opened.Load()+reopened.Load()); got != want {
		t.Errorf("openings are %d, want %d", got, want)
	}
}

// A crowd of failures opens the breaker once, and no failure after the tripping one is counted.
func TestACrowdOfFailuresOpensOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes atomic.Int64
		b := New(Config{Trip: Consecutive(10), Observer: func(_ context.Context, e mettle.Event) {
			if e.Kind == mettle.StateChanged {
				changes.Add(1)
			}
		}})
		var ready sync.WaitGroup
		ready.Add(crowd)
		together(func(int) {
			b.Do(context.Background(), func(context.Context) error {
				ready.Done()
				ready.Wait() // all are inside before any fails
				return errLost
			})
		})
		if n, f := changes.Load(), b.failures.Load(); n != 1 || f != 10 || b.State() != Open {
			t.Errorf("%d changes of state, %d failures, %v; want 1, 10, open", n, f, b.State())
		}
	})
}

// Of a crowd that comes at the very end of the cooldown at least one gets in, and at most Probes do.
func TestACrowdAtTheEndOfTheCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, probes := range []int{1, 3} {
			b := New(Config{Trip: Consecutive(1), Probes: probes, Successes: 1})
			ctx := context.Background()
			b.Do(ctx, func(context.Context) error { return errLost })
			for range 50 {
				time.Sleep(time.Hour)
				var ran atomic.Int64
				hold := make(chan struct{})
				go func() {
					synctest.Wait()
					close(hold)
				}()
				together(func(int) {
					b.Do(ctx, func(context.Context) error {
						ran.Add(1)
						<-hold
						return errLost
					})
				})
				if n := ran.Load(); n < 1 || n > int64(probes) {
					t.Fatalf("%d of %d ran, want 1 to %d", n, crowd, probes)
				}
			}
		}
	})
}
