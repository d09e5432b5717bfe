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
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
	"github.com/mettle-go/mettle/internal/waitq"
)

// A crowd that comes, waits, loses patience and panics. At no time are more inside than the limit, and at the
// end nobody is.
func TestACrowd(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config Config
	}{
		{"one place", Config{Limit: 1, Queue: 100}},
		{"few places, short queue", Config{Limit: 3, Queue: 10}},
		{"impatient", Config{Limit: 2, Queue: 100, MaxWait: 3}},
		{"no queue", Config{Limit: 5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(tc.config)
				var inside, ran, rejected atomic.Int64
				var wg sync.WaitGroup
				for i := range 64 {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(i), 3))
						for range 200 {
							ctx, cancel := context.WithCancel(context.Background())
							switch rng.IntN(4) {
							case 0:
								cancel()
							case 1:
								ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(20)))
							}
							pause, mood := time.Duration(rng.IntN(3)), rng.IntN(20)
							err := guarded(func() error {
								return b.Do(ctx, func(context.Context) error {
									if n := inside.Add(1); n > int64(tc.config.Limit) {
										t.Errorf("%d are inside", n)
									}
									defer inside.Add(-1)
									ran.Add(1)
									if pause > 0 {
										time.Sleep(pause)
									} else {
										runtime.Gosched()
									}
									if mood == 0 {
										panic("mood")
									}
									return nil
								})
							})
							if errors.Is(err, mettle.ErrRejected) {
								rejected.Add(1)
							}
							cancel()
						}
					})
				}
				wg.Wait()
				if word := b.word.Load(); word != 0 {
					in, waiting := core.Counts(word)
					t.Errorf("in the end %d are inside and %d wait", in, waiting)
				}
				if b.queue.Pop() != nil {
					t.Error("in the end somebody stands in the queue")
				}
				if n := ran.Load() + rejected.Load(); n != 64*200 || ran.Load() == 0 || rejected.Load() == 0 && tc.config.MaxWait+time.Duration(tc.config.Limit) > 1 {
					t.Errorf("%d ran and %d were rejected of %d", ran.Load(), rejected.Load(), 64*200)
				}
				if b.admitted.Load() != uint64(ran.Load()) || b.rejections.Load() != uint64(rejected.Load()) {
					t.Errorf("counted %d admitted and %d rejected, want %d and %d", b.admitted.Load(), b.rejections.Load(), ran.Load(), rejected.Load())
				}
			})
		})
	}
}

// guarded runs fn and returns its error, or that it panicked.
func guarded(fn func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("panicked")
		}
	}()
	return fn()
}

// handed returns a waiter to whom a place was handed over and who has not looked yet.
func handed(t *testing.T, b *Bulkhead) *waitq.Waiter {
	t.Helper()
	ctx := context.Background()
	if _, _, err := b.AcquireAt(ctx, 0); err != nil {
		t.Fatal(err)
	}
	w, answer := b.line(ctx)
	if w == nil {
		t.Fatalf("not in the queue but %v", answer)
	}
	b.Release(ctx, 0, nil)
	if in, waiting := core.Counts(b.word.Load()); in != 1 || waiting != 0 {
		t.Fatalf("%d inside and %d waiting, want 1 and 0", in, waiting)
	}
	return w
}

func TestAWaiterWhoLeavesAsHisTurnComesPassesThePlaceOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := New(Config{Limit: 1, Queue: 2})
	w := handed(t, b)
	next, _ := b.line(ctx)
	cancel()
	if _, _, err := b.waited(ctx, w, waitq.Ended); !errors.Is(err, mettle.ErrRejected) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a rejection that says canceled", err)
	}
	if outcome := next.Wait(context.Background(), 0); outcome != waitq.Granted {
		t.Errorf("the next one's wait ended by %v", outcome)
	}
	b.waited(context.Background(), next, waitq.Granted)
	b.Release(ctx, 0, nil)
	if word := b.word.Load(); word != 0 {
		t.Errorf("the word is %x in the end", word)
	}
}

func TestAPlaceThatComesAtTheLastMomentIsTaken(t *testing.T) {
	ctx := context.Background()
	b := New(Config{Limit: 1, Queue: 2, MaxWait: time.Hour})
	if _, _, err := b.waited(ctx, handed(t, b), waitq.Late); err != nil {
		t.Errorf("got %v, but the place was there", err)
	}
	b.Release(ctx, 0, nil)
	if word := b.word.Load(); word != 0 {
		t.Errorf("the word is %x in the end", word)
	}
}

// Between a caller's first look and his place in the queue everything may change.
func TestTheQueueLooksAgain(t *testing.T) {
	ctx := context.Background()
	b := New(Config{Limit: 1, Queue: 1})
	if _, at, err := b.wait(ctx, 7); err != nil || at != 7 {
		t.Errorf("got %v at %d, want the free place", err, at)
	}
	if w, _ := b.line(ctx); w == nil {
		t.Fatal("not in the queue")
	}
	if _, at, err := b.wait(ctx, 7); !errors.Is(err, ErrFull) || at != 7 {
		t.Errorf("got %v at %d, want ErrFull", err, at)
	}
}

// A clock reading is passed on as it is by those who did not wait, and by nobody else.
func TestTheClockReadingIsDroppedByAWait(t *testing.T) {
	for _, now := range []clock.Instant{clock.Unread, -1 << 59, 0, 5} {
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			b := New(Config{Limit: 1, Queue: 1})
			if _, at, _ := b.AcquireAt(ctx, now); at != now {
				t.Errorf("a free place made %d of %d", at, now)
			}
			go func() {
				time.Sleep(time.Nanosecond)
				b.Release(ctx, 0, nil)
			}()
			if _, at, err := b.AcquireAt(ctx, now); at != clock.Unread || err != nil {
				t.Errorf("a wait made %d of %d, %v", at, now, err)
			}
		})
	}
}

func TestAPermitGivenBackTwiceKeepsTheCountWhole(t *testing.T) {
	b := New(Config{Limit: 1})
	p, err := b.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p.Done(nil)
	p.Done(nil)
	if _, err := b.Acquire(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := b.Acquire(context.Background()); !errors.Is(err, ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
}
