package bulkhead

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
)

// ways are the sorts of bulkhead that a crowd passes through.
var ways = []struct {
	name   string
	config Config
	heavy  int // the heaviest call
	change int // the highest limit set meanwhile; 0 means that it stays
}{
	{"one place", Config{Limit: 1, Queue: 100}, 1, 0},
	{"few places, short queue", Config{Limit: 3, Queue: 10}, 1, 0},
	{"impatient", Config{Limit: 2, Queue: 100, MaxWait: 3}, 1, 0},
	{"no queue", Config{Limit: 5}, 1, 0},
	{"weights", Config{Limit: 10, Queue: 50, MaxWait: 20}, 10, 0},
	{"too heavy for some", Config{Limit: 6, Queue: 100}, 7, 0},
	{"last in, first out", Config{Limit: 2, Queue: 8, Order: LIFO}, 1, 0},
	{"weights, last in, first out", Config{Limit: 8, Queue: 8, MaxWait: 10, Order: LIFO}, 5, 0},
	{"changing limit", Config{Limit: 5, Queue: 100, MaxWait: 50}, 1, 9},
	{"changing limit, weights", Config{Limit: 5, Queue: 100}, 9, 9},
	{"all at once", Config{Limit: 5, Queue: 6, MaxWait: 30, Order: LIFO}, 9, 9},
}

// A crowd that comes, waits, loses patience and panics. At no time is more inside than the limit, and at the
// end nobody is.
func TestACrowd(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { crowded(t, way.config, way.heavy, way.change, time.Sleep) })
		})
	}
}

// The same on real threads, where nobody sleeps, but those who wait can be caught at any instruction.
func TestACrowdOnRealThreads(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			crowded(t, way.config, way.heavy, way.change, func(d time.Duration) {
				for range d {
					runtime.Gosched()
				}
			})
		})
	}
}

func crowded(t *testing.T, config Config, heavy, change int, sleep func(time.Duration)) {
	const calls, rounds = 64, 60
	b := New(config)
	most := int64(max(config.Limit, change))
	var inside, ran, rejected, unfinished atomic.Int64
	var wg sync.WaitGroup
	for i := range calls {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			for range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				switch rng.IntN(4) {
				case 0:
					cancel()
				case 1:
					patience := time.Duration(rng.IntN(20))
					wg.Go(func() {
						sleep(patience)
						cancel()
					})
				}
				n, pause, mood := 1+rng.IntN(heavy), time.Duration(rng.IntN(3)), rng.IntN(20)
				err := guarded(mood == 1, func() error {
					permit, err := b.AcquireN(ctx, n)
					if err != nil {
						return err
					}
					defer permit.Done(nil)
					if now := inside.Add(int64(n)); now > most {
						t.Errorf("%d are inside", now)
					}
					defer inside.Add(int64(-n))
					ran.Add(1)
					sleep(pause)
					switch mood {
					case 0:
						panic("mood")
					case 1:
						runtime.Goexit()
					}
					return nil
				})
				switch {
				case errors.Is(err, mettle.ErrRejected):
					rejected.Add(1)
				case err != nil:
					unfinished.Add(1)
				}
				cancel()
			}
		})
	}
	if change > 0 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, 3))
			for range 20 * rounds {
				b.SetLimit(1 + rng.IntN(change))
				sleep(time.Duration(rng.IntN(3)))
			}
		})
	}
	wg.Wait()
	wantEmpty(t, b)
	if n := ran.Load() + rejected.Load(); n != calls*rounds || ran.Load() == 0 || unfinished.Load() == 0 {
		t.Errorf("%d ran, %d did not return and %d were rejected of %d", ran.Load(), unfinished.Load(), rejected.Load(), calls*rounds)
	}
	if b.admitted.Load() != uint64(ran.Load()) || b.rejections.Load() != uint64(rejected.Load()) {
		t.Errorf("counted %d admitted and %d rejected, want %d and %d", b.admitted.Load(), b.rejections.Load(), ran.Load(), rejected.Load())
	}
	// It still works, all of it.
	if permit, err := b.AcquireN(context.Background(), int(b.limit.Load())); err != nil {
		t.Error(err)
	} else {
		permit.Done(nil)
	}
}

// guarded runs fn, in a goroutine of its own if it may end it, and returns its error, or that it never returned.
func guarded(exits bool, fn func() error) error {
	err := errUnfinished
	run := func() {
		defer func() { recover() }()
		err = fn()
	}
	if !exits {
		run()
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	<-done
	return err
}

var errUnfinished = errors.New("panicked or ended its goroutine")

// Once SetLimit has returned and those have left who were inside, no more than the limit are inside until it changes again.
func TestSetLimitHoldsOnceItHasReturned(t *testing.T) {
	for _, order := range []Order{FIFO, LIFO} {
		t.Run(order.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const longest = 20 // nanoseconds inside
				b := New(Config{Limit: 8, Queue: 30, Order: order})
				var inside, most atomic.Int64
				most.Store(8)
				var stop atomic.Bool
				var wg sync.WaitGroup
				for i := range 64 {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(i), 4))
						n := 1 + i%2
						for !stop.Load() {
							permit, err := b.AcquireN(context.Background(), n)
							if err != nil {
								time.Sleep(longest)
								continue
							}
							if now := inside.Add(int64(n)); now > most.Load() {
								t.Errorf("%d are inside, the limit is %d", now, most.Load())
							}
							time.Sleep(1 + time.Duration(rng.IntN(longest)))
							inside.Add(int64(-n))
							permit.Done(nil)
						}
					})
				}
				reached := 0
				for i := range 200 {
					n := 1 + i*5%8
					most.Store(8)
					b.SetLimit(n)
					time.Sleep(longest + 1)
					most.Store(int64(n))
					for range longest {
						if time.Sleep(time.Nanosecond); inside.Load() == int64(n) {
							reached++
						}
					}
				}
				most.Store(8)
				stop.Store(true)
				b.SetLimit(8)
				wg.Wait()
				wantEmpty(t, b)
				if reached < 1000 {
					t.Errorf("the bulkhead was full only %d times of 4000", reached)
				}
			})
		})
	}
}
