package bulkhead_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
)

func wantAllocs(t *testing.T, what string, want float64, run func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, run); got != want {
		t.Errorf("%s: %v allocations, want %v", what, got, want)
	}
}

func TestAllocations(t *testing.T) {
	if bulkhead.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	free := bulkhead.New(bulkhead.Config{Limit: 1})
	full := bulkhead.New(bulkhead.Config{Limit: 1})
	occupy(t, full, 1)
	wantAllocs(t, "free", 0, func() { free.Do(ctx, nothing) })
	wantAllocs(t, "full", 0, func() { full.Do(ctx, nothing) })
	wantAllocs(t, "a permit", 0, func() {
		p, _ := free.Acquire(ctx)
		p.Done(nil)
	})
	heavy := bulkhead.New(bulkhead.Config{Limit: 9})
	wantAllocs(t, "a heavy permit", 0, func() {
		p, _ := heavy.AcquireN(ctx, 9)
		p.Done(nil)
	})
	wantAllocs(t, "a permit too heavy", 0, func() { heavy.AcquireN(ctx, 10) })
	limit := 9
	wantAllocs(t, "another limit", 0, func() {
		limit = 10 - limit
		heavy.SetLimit(limit)
	})
	wantAllocs(t, "a call", 0, func() {
		mettle.Call(ctx, free, func(context.Context) (int, error) { return 1, nil })
	})
}

// The first wait makes a channel and a timer, and later ones use them again.
func TestAllocationsOfAWait(t *testing.T) {
	if bulkhead.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, order := range []bulkhead.Order{bulkhead.FIFO, bulkhead.LIFO} {
		synctest.Test(t, func(t *testing.T) {
			b := bulkhead.New(bulkhead.Config{Limit: 2, Queue: 1, MaxWait: time.Second, Order: order})
			leave := occupy(t, b, 2)
			wantAllocs(t, "a wait that is too long", 0, func() { b.Do(bg, nothing) })
			leave()
			leave()

			ask, answer := make(chan int), make(chan error)
			for range 2 {
				go func() {
					for n := range ask {
						p, err := b.AcquireN(bg, n)
						p.Done(nil)
						answer <- err
					}
				}()
			}
			wantAllocs(t, "a wait", 0, func() {
				p, _ := b.Acquire(bg)
				ask <- 2
				synctest.Wait()
				p.Done(nil)
				if err := <-answer; err != nil {
					t.Error(err)
				}
			})
			if order == bulkhead.LIFO {
				wantAllocs(t, "a wait that ends by eviction", 0, func() {
					p, _ := b.Acquire(bg)
					ask <- 2
					synctest.Wait()
					ask <- 2
					if err := <-answer; err == nil {
						t.Error("nobody was evicted")
					}
					p.Done(nil)
					if err := <-answer; err != nil {
						t.Error(err)
					}
				})
			}
			close(ask)
			if waited := b.Describe().Metrics[3].Value; waited < 200 {
				t.Errorf("only %v of the calls waited", waited)
			}
		})
	}
}

// Many bulkheads, one a customer, are small while nobody waits.
func TestAnIdleBulkheadIsSmall(t *testing.T) {
	if bulkhead.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	if got := testing.AllocsPerRun(200, func() { bulkhead.New(bulkhead.Config{Limit: 1, Queue: 9}).Do(ctx, nothing) }); got > 3 {
		t.Errorf("%v allocations, want 3 at most", got)
	}
	if size := unsafe.Sizeof(bulkhead.Bulkhead{}); size > 208 {
		t.Errorf("%d bytes, want 208 at most", size)
	}
}
