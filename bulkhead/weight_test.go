package bulkhead_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
)

func wantPanic(t *testing.T, want string, run func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if p := recover(); p != want {
			t.Errorf("the panic is %v, want %s", p, want)
		}
	}()
	run()
}

func TestSemantics9BadNumbersAreLoud(t *testing.T) {
	b := bulkhead.New(bulkhead.Config{Limit: 2})
	wantPanic(t, "bulkhead: AcquireN: n is 0, want 1 or more", func() { b.AcquireN(bg, 0) })
	wantPanic(t, "bulkhead: AcquireN: n is -7, want 1 or more", func() { b.AcquireN(bg, -7) })
	wantPanic(t, "bulkhead: SetLimit: limit is 0, want 1 to 2147483647", func() { b.SetLimit(0) })
	wantPanic(t, "bulkhead: SetLimit: limit is -1, want 1 to 2147483647", func() { b.SetLimit(-1) })
	if over > 0 {
		wantPanic(t, "bulkhead: SetLimit: limit is 2147483648, want 1 to 2147483647", func() { b.SetLimit(over) })
	}
	if limit := b.Describe().Limit; limit != 2 || !b.Fresh() {
		t.Errorf("the limit is %d afterwards, fresh is %t", limit, b.Fresh())
	}
}

// A list is what calls write their numbers on.
type list struct {
	mu  sync.Mutex
	ids []int
}

func (l *list) add(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids = append(l.ids, id)
}

func (l *list) sorted() []int { return slices.Sorted(slices.Values(l.ids)) }

// queue lets calls of the weights given come one after the other. They write down their numbers, negative if they are rejected, and
// stay until done is closed.
func queue(b *bulkhead.Bulkhead, order *list, done chan struct{}, weights ...int) {
	for i, n := range weights {
		go func() {
			permit, err := b.AcquireN(bg, n)
			if err != nil {
				order.add(-i)
				return
			}
			order.add(i)
			<-done
			permit.Done(nil)
		}()
		synctest.Wait()
	}
}

func TestALightCallDoesNotOvertakeAHeavyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 4, Queue: 10})
		leave := occupy(t, b, 2)
		done := make(chan struct{})
		var order list
		queue(b, &order, done, 3, 1, 2, 1)
		wantCounts(t, b, 2, 4) // two places are free, and nobody takes them
		leave()
		synctest.Wait()
		wantCounts(t, b, 4, 3)
		leave()
		synctest.Wait()
		wantCounts(t, b, 4, 2)
		if want := []int{0, 1}; !slices.Equal(order.sorted(), want) {
			t.Errorf("%v run, want %v", order.ids, want)
		}
		close(done)
		synctest.Wait()
		if len(order.ids) != 4 || !b.Fresh() {
			t.Errorf("%v ran, fresh is %t", order.ids, b.Fresh())
		}
	})
}

// When a heavy call gives up, those behind it may fit: nobody comes or goes who would wake them otherwise.
func TestAHeavyCallThatGivesUpLetsTheLightOnesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 4, Queue: 10})
		leave := occupy(t, b, 1)
		ctx, cancel := context.WithCancel(bg)
		gone := make(chan error)
		go func() {
			_, err := b.AcquireN(ctx, 4)
			gone <- err
		}()
		synctest.Wait()
		done := make(chan struct{})
		var order list
		queue(b, &order, done, 1, 2)
		wantCounts(t, b, 1, 3)
		cancel()
		wantRejection(t, <-gone, context.Canceled)
		synctest.Wait()
		wantCounts(t, b, 4, 0)
		close(done)
		leave()
		synctest.Wait()
		wantCounts(t, b, 0, 0)
	})
}

func TestACallHeavierThanTheLimitIsRejectedAtOnce(t *testing.T) {
	for _, order := range []bulkhead.Order{bulkhead.FIFO, bulkhead.LIFO} {
		for _, n := range []int{5, math.MaxInt32, max(5, over), max(5, over+over), max(5, over+over+1), math.MaxInt} {
			b := bulkhead.New(bulkhead.Config{Limit: 4, Queue: 1, Order: order})
			_, err := b.AcquireN(bg, n)
			wantRejection(t, err, bulkhead.ErrFull)
			wantCounts(t, b, 0, 0)
		}
	}
	// It does not drive anybody out of the queue either.
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1, Order: bulkhead.LIFO})
		leave := occupy(t, b, 1)
		waits := make(chan error)
		go func() { waits <- b.Do(bg, nothing) }()
		synctest.Wait()
		_, err := b.AcquireN(bg, 2)
		wantRejection(t, err, bulkhead.ErrFull)
		ended, cancel := context.WithCancel(bg)
		cancel()
		wantRejection(t, b.Do(ended, nothing), context.Canceled)
		wantCounts(t, b, 1, 1)
		leave()
		if err := <-waits; err != nil {
			t.Error(err)
		}
	})
}

func TestLastInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 3, Order: bulkhead.LIFO})
		leave := occupy(t, b, 1)
		var order list
		done := make(chan struct{})
		close(done)
		queue(b, &order, done, 1, 1, 1, 1, 1) // 0 and 1 have to make room for 3 and 4
		leave()
		synctest.Wait()
		if want := []int{0, -1, 4, 3, 2}; !slices.Equal(order.ids, want) {
			t.Errorf("the order is %v, want %v", order.ids, want)
		}
		wantCounts(t, b, 0, 0)
	})
}

// Who keeps bulkheads by key must not drop one for another with the limit it was made with.
func TestAChangedLimitIsNotFresh(t *testing.T) {
	b := bulkhead.New(bulkhead.Config{Limit: 2})
	for _, c := range []struct {
		limit int
		fresh bool
	}{{2, true}, {1, false}, {3, false}, {2, true}} {
		b.SetLimit(c.limit)
		if b.Fresh() != c.fresh {
			t.Errorf("made with 2, now %d: fresh is %t", c.limit, b.Fresh())
		}
		permit, _ := b.Acquire(bg)
		if b.Fresh() {
			t.Errorf("made with 2, now %d: fresh with one inside", c.limit)
		}
		permit.Done(nil)
	}
}

func TestSetLimitUpLetsInAsManyAsFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 10})
		leave := occupy(t, b, 1)
		done := make(chan struct{})
		var order list
		queue(b, &order, done, 1, 1, 1, 1, 1)
		b.SetLimit(4)
		synctest.Wait()
		wantCounts(t, b, 4, 2)
		if b.Describe().Limit != 4 {
			t.Errorf("the limit is said to be %d", b.Describe().Limit)
		}
		b.SetLimit(2)
		leave()
		synctest.Wait()
		wantCounts(t, b, 3, 2) // one too many still
		close(done)
		synctest.Wait()
		wantCounts(t, b, 0, 0)
		if want := []int{0, 1, 2, 3, 4}; !slices.Equal(order.sorted(), want) {
			t.Errorf("%v ran, want %v", order.ids, want)
		}
		occupy(t, b, 2)
		ended, cancel := context.WithCancel(bg)
		cancel()
		wantRejection(t, b.Do(ended, nothing), context.Canceled) // a third would have to wait
	})
}

// One who is too heavy for the new limit is turned away, and whom he stood before may fit.
func TestSetLimitDownTurnsTheTooHeavyAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 6, Queue: 10})
		leave := occupy(t, b, 2)
		gone := make(chan error)
		go func() {
			_, err := b.AcquireN(bg, 5)
			gone <- err
		}()
		synctest.Wait()
		done := make(chan struct{})
		var order list
		queue(b, &order, done, 1, 4, 2)
		b.SetLimit(3)
		wantRejection(t, <-gone, bulkhead.ErrFull)
		synctest.Wait()
		wantCounts(t, b, 3, 1)
		if !slices.Equal(order.sorted(), []int{-1, 0}) {
			t.Errorf("got %v, want the first let in and the second turned away", order.ids)
		}
		close(done)
		leave()
		leave()
		synctest.Wait()
		wantCounts(t, b, 0, 0)
	})
}

// Whatever becomes of the calls before, the last one finds all places free.
func TestItWorksAfterFaults(t *testing.T) {
	for _, order := range []bulkhead.Order{bulkhead.FIFO, bulkhead.LIFO} {
		synctest.Test(t, func(t *testing.T) {
			var b *bulkhead.Bulkhead
			b = bulkhead.New(bulkhead.Config{Limit: 4, Queue: 4, MaxWait: 10, Order: order, Observer: func(context.Context, mettle.Event) {
				b.SetLimit(4) // takes the lock
			}})
			hang, free := context.WithCancel(bg)
			for i := range 40 {
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				go func() {
					defer func() { recover() }()
					permit, err := b.AcquireN(ctx, 1+i%4)
					if err != nil {
						if i%7 == 0 {
							panic(err)
						}
						return
					}
					defer permit.Done(nil)
					switch i % 3 {
					case 0:
						panic("boom")
					case 1:
						runtime.Goexit()
					case 2:
						<-hang.Done()
					}
				}()
				if i%5 == 0 {
					synctest.Wait()
				}
				if i%4 == 0 {
					cancel()
				}
			}
			synctest.Wait()
			if err := b.Do(bg, func(context.Context) error { return errors.New("ran") }); err != nil && !errors.Is(err, mettle.ErrRejected) && err.Error() != "ran" {
				t.Error(err)
			}
			free()
			synctest.Wait()
			wantCounts(t, b, 0, 0)
			permit, err := b.AcquireN(bg, 4)
			if err != nil {
				t.Fatal(err)
			}
			permit.Done(nil)
			if !b.Fresh() {
				t.Error("not fresh in the end")
			}
		})
	}
}
