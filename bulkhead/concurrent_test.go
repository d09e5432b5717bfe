package bulkhead

import (
	"context"
	"errors"
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

// handed returns a waiter to whom a place was handed over and who has not looked yet.
func handed(t *testing.T, b *Bulkhead) *waiter {
	t.Helper()
	ctx := context.Background()
	if _, _, err := b.AcquireAt(ctx, 0); err != nil {
		t.Fatal(err)
	}
	w, answer := b.line(1, false)
	if w == nil {
		t.Fatalf("not in the queue but %v", answer)
	}
	b.leave(1)
	if free, waiting := core.Counts(b.word.Load()); free != 0 || waiting != 0 {
		t.Fatalf("%d free and %d waiting, want 0 and 0", free, waiting)
	}
	return w
}

func wantEmpty(t *testing.T, b *Bulkhead) {
	t.Helper()
	free, waiting := core.Counts(b.word.Load())
	if b.word.Load() != b.limit.Load() || b.queue.Front() != nil || b.queue.Back() != nil {
		t.Errorf("in the end %d of %d places are free and %d wait", free, b.limit.Load(), waiting)
	}
}

func TestAWaiterWhoLeavesAsHisTurnComesPassesThePlaceOn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := New(Config{Limit: 1, Queue: 2})
	w := handed(t, b)
	next, _ := b.line(1, false)
	cancel()
	if err := b.waitedFor(ctx, w, 1, waitq.Ended); !errors.Is(err, mettle.ErrRejected) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a rejection that says canceled", err)
	}
	if outcome := next.Wait(nil, 0); outcome != waitq.Granted {
		t.Errorf("the next one's wait ended by %v", outcome)
	}
	if err := b.waitedFor(context.Background(), next, 1, waitq.Granted); err != nil {
		t.Error(err)
	}
	b.leave(1)
	wantEmpty(t, b)
}

func TestAPlaceThatComesAtTheLastMomentIsTaken(t *testing.T) {
	b := New(Config{Limit: 1, Queue: 2, MaxWait: time.Hour})
	if err := b.waitedFor(context.Background(), handed(t, b), 1, waitq.Late); err != nil {
		t.Errorf("got %v, but the place was there", err)
	}
	b.leave(1)
	wantEmpty(t, b)
}

// Between a caller's first look and his place in the queue everything may change.
func TestTheQueueLooksAgain(t *testing.T) {
	ctx := context.Background()
	b := New(Config{Limit: 1, Queue: 1})
	if at, err := b.wait(ctx, 7, 1); err != nil || at != 7 {
		t.Errorf("got %v at %d, want the free place", err, at)
	}
	if w, _ := b.line(1, false); w == nil {
		t.Fatal("not in the queue")
	}
	if at, err := b.wait(ctx, 7, 1); !errors.Is(err, ErrFull) || at != 7 {
		t.Errorf("got %v at %d, want ErrFull", err, at)
	}
	if n := b.admitted.Load(); n != 1 {
		t.Errorf("%d are counted, want 1", n)
	}
}

// A clock reading is passed on as it is by those who did not wait; those who did return the instant at which they were let in.
func TestTheClockReadingOfAWaitIsItsEnd(t *testing.T) {
	for _, now := range []clock.Instant{clock.Unread, -1 << 59, 0, 5} {
		synctest.Test(t, func(t *testing.T) {
			ctx := context.Background()
			b := New(Config{Limit: 1, Queue: 1})
			if _, at, _ := b.AcquireAt(ctx, now); at != now {
				t.Errorf("a free place made %d of %d", at, now)
			}
			want := clock.Now() + 1
			go func() {
				time.Sleep(time.Nanosecond)
				b.leave(1)
			}()
			if _, at, err := b.AcquireAt(ctx, now); at != want || err != nil {
				t.Errorf("a wait made %d of %d, want %d: %v", at, now, want, err)
			}
		})
	}
}

func TestAPermitGivenBackTwiceKeepsTheCountWhole(t *testing.T) {
	for _, weight := range []int{1, 2, 5} {
		b := New(Config{Limit: 5})
		p, err := b.AcquireN(context.Background(), weight)
		if err != nil {
			t.Fatal(err)
		}
		p.Done(nil)
		p.Done(nil)
		wantEmpty(t, b)
		if _, err := b.AcquireN(context.Background(), 5); err != nil {
			t.Error(err)
		}
		if _, err := b.Acquire(context.Background()); !errors.Is(err, ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
	}
}

// A place given back while the limit changes looks like one too many. It must not get lost.
func TestAPlaceThatComesBackAmidSetLimitCounts(t *testing.T) {
	ctx := context.Background()
	b := New(Config{Limit: 1})
	b.Acquire(ctx)
	b.mu.Lock()
	b.word.Add(4) // half of SetLimit(5)
	left := make(chan struct{})
	go func() {
		b.leave(1)
		close(left)
	}()
	for range 1000 {
		runtime.Gosched() // until he has looked
	}
	b.limit.Store(5) // the other half
	b.mu.Unlock()
	<-left
	wantEmpty(t, b)
	if _, err := b.AcquireN(ctx, 5); err != nil {
		t.Error(err)
	}
}

// One leaves and comes back all the time, while another is about to wait for his place. If the place that comes free just then were
// missed, one would wait for ever, and the other find the queue full.
func TestAPlaceThatComesAsACallerQueuesIsNotMissed(t *testing.T) {
	const calls = 5000
	b := New(Config{Limit: 1, Queue: 1})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var over atomic.Bool
	var turns atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for ; !over.Load(); turns.Add(1) {
			if err := b.Do(ctx, func(context.Context) error { return nil }); err != nil {
				t.Error(err)
				cancel()
				return
			}
		}
	})
	for range calls {
		for before, n := turns.Load(), 0; turns.Load() == before && n < 100; n++ {
			runtime.Gosched() // until the other one is at it
		}
		if _, err := b.wait(ctx, 0, 1); err != nil { // without a look at the word before
			t.Error(err)
			cancel()
			break
		}
		b.leave(1)
	}
	over.Store(true)
	wg.Wait()
	wantEmpty(t, b)
}

// A context whose Done panics, as one of another's making may, leaves nobody in the queue to whom a place would go for good.
func TestAContextThatPanicsLeavesNothingBehind(t *testing.T) {
	for _, order := range []Order{FIFO, LIFO} {
		b := New(Config{Limit: 1, Queue: 1, Order: order})
		b.enter(context.Background(), 0, 1)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			b.Do(bad{context.Background()}, func(context.Context) error { return nil })
		}()
		if _, waiting := core.Counts(b.word.Load()); waiting != 0 {
			t.Errorf("%v: %d wait", order, waiting)
		}
		b.leave(1)
		wantEmpty(t, b)
	}
}

type bad struct{ context.Context }

func (bad) Done() <-chan struct{} { panic("a bad context") }
