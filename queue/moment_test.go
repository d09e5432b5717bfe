package queue

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle/internal/waitq"
)

// The tests here stop a Put or a Get halfway, where another one may come in between.

// halfPut puts v and does not look yet whether somebody waits for it.
func halfPut(t *testing.T, q *Queue[int], v int) {
	t.Helper()
	q.in.mu.Lock()
	defer q.in.mu.Unlock()
	if err := q.put(v); err != nil {
		t.Fatal(err)
	}
}

// halfGet takes an item and does not look yet whether somebody waits for the room.
func halfGet(t *testing.T, q *Queue[int]) {
	t.Helper()
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	if _, err := q.get(); err != nil {
		t.Fatal(err)
	}
}

// later runs fn in a goroutine and returns where to read what it says.
func later(fn func() string) chan string {
	said := make(chan string, 1)
	go func() { said <- fn() }()
	synctest.Wait()
	return said
}

func laterPut(q *Queue[int], v int) chan string {
	return later(func() string { return verdict(q.Put(context.Background(), v)) })
}

func laterGet(q *Queue[int]) chan string {
	return later(func() string { return verdictOf(q.Get(context.Background())) })
}

// wantSaid fails unless want is what has been said by now.
func wantSaid(t *testing.T, want string, said chan string) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-said:
		if got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	default:
		t.Fatalf("it waits, want %q", want)
	}
}

func TestRoomBelongsToThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](1)
		q.TryPut(1)
		put := laterPut(q, 2)
		halfGet(t, q)
		if err := q.TryPut(3); err != ErrFull {
			t.Errorf("a newcomer's TryPut says %v, want ErrFull", err)
		}
		q.settle()
		wantSaid(t, ok, put)
		wantSaid(t, got(2), laterGet(q))
	})
}

func TestItemsBelongToThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](1)
		get := laterGet(q)
		halfPut(t, q, 1)
		if v, err := q.TryGet(); err != ErrEmpty {
			t.Errorf("a newcomer's TryGet says %d, %v, want ErrEmpty", v, err)
		}
		q.settle()
		wantSaid(t, got(1), get)
	})
}

// Who gets in line and finds that things have changed goes on, with those before him.
func TestTheLastLookBeforeAWait(t *testing.T) {
	q := New[int](1)
	var out waitq.Batch[int]
	put, admitted := q.linePut(1, &out)
	if q.in.line.Front() != nil || !admitted || q.Len() != 1 {
		t.Error("a Put waits though there is room")
	}
	get, fed := q.lineGet(&out)
	if q.out.line.Front() != nil || !fed || get.Value != 1 || q.Len() != 0 {
		t.Error("a Get waits though there is an item")
	}
	out.Wake()
	for _, w := range []*waitq.Waiter[int]{put, get} {
		if told := w.Wait(nil, 0); told != waitq.Granted {
			t.Errorf("told %v, want Granted", told)
		}
	}
}

// A turn that comes in the moment in which the context ends counts, whichever of them the waiter hears of first.
func TestATurnThatComesAsTheContextEndsCounts(t *testing.T) {
	type batch = waitq.Batch[int]
	for name, tc := range map[string]struct {
		items int // in a queue of one
		call  func(ctx context.Context, q *Queue[int]) string
		tell  func(q *Queue[int], out *batch) // under both locks
		want  string
		left  int
	}{
		"a Get is given an item": {0, getOf, func(q *Queue[int], out *batch) { q.push(7); q.feed(out) }, got(7), 0},
		"a Put is let in":        {1, putOf, func(q *Queue[int], out *batch) { q.pop(); q.admit(out) }, ok, 1},
		"a Get is turned away":   {0, getOf, func(q *Queue[int], out *batch) { q.out.line.Dismiss(q.out.line.Front(), out) }, closed, 0},
		"a Put is turned away":   {1, putOf, func(q *Queue[int], out *batch) { q.in.line.Dismiss(q.in.line.Front(), out) }, closed, 1},
	} {
		for _, canceledFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, canceled first: %t", name, canceledFirst), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					q := New[int](1)
					for range tc.items {
						q.TryPut(1)
					}
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					answer := later(func() string { return tc.call(ctx, q) })
					var out batch
					q.in.mu.Lock()
					q.out.mu.Lock()
					if canceledFirst {
						cancel() // who waits hears that, and cannot leave the line yet
					}
					tc.tell(q, &out)
					q.out.mu.Unlock()
					q.in.mu.Unlock()
					out.Wake()
					cancel()
					wantSaid(t, tc.want, answer)
					if q.Len() != tc.left {
						t.Errorf("%d items are left, want %d", q.Len(), tc.left)
					}
				})
			})
		}
	}
}

func getOf(ctx context.Context, q *Queue[int]) string { return verdictOf(q.Get(ctx)) }
func putOf(ctx context.Context, q *Queue[int]) string { return verdict(q.Put(ctx, 2)) }

// Nobody looks for those who wait once they are served or gone.
func TestNobodyIsLookedForWhoHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](1)
		want := func(when string) {
			t.Helper()
			if q.getters.Load() || q.putters.Load() {
				t.Errorf("%s: a Get is looked for: %t, a Put: %t", when, q.getters.Load(), q.putters.Load())
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		get := later(func() string { return getOf(ctx, q) })
		cancel()
		wantSaid(t, ended, get)
		want("a Get gave up")
		get = laterGet(q)
		q.TryPut(1)
		wantSaid(t, got(1), get)
		want("a Get was served")

		q.TryPut(1)
		ctx, cancel = context.WithCancel(context.Background())
		put := later(func() string { return putOf(ctx, q) })
		cancel()
		wantSaid(t, ended, put)
		want("a Put gave up")
		put = laterPut(q, 2)
		q.TryGet()
		wantSaid(t, ok, put)
		want("a Put was let in")
	})
}

// One who comes later settles what another has moved and not told yet, however long the chain.
func TestWhoeverMovesAnItemSettles(t *testing.T) {
	for name, run := range map[string]func(t *testing.T, q *Queue[int]){
		"a Get serves a Get, and so lets in a Put": func(t *testing.T, q *Queue[int]) {
			first := laterGet(q)
			halfPut(t, q, 1)
			put := laterPut(q, 2)
			second := laterGet(q)
			wantSaid(t, got(1), first)
			wantSaid(t, ok, put)
			wantSaid(t, got(2), second)
		},
		"a Put lets in a Put, and so serves a Get": func(t *testing.T, q *Queue[int]) {
			q.TryPut(0)
			first := laterPut(q, 1)
			halfGet(t, q)
			get := laterGet(q)
			second := laterPut(q, 2)
			wantSaid(t, ok, first)
			wantSaid(t, got(1), get)
			wantSaid(t, ok, second)
		},
		"a Put that finds room at the second look": func(t *testing.T, q *Queue[int]) {
			get := laterGet(q)
			if err := q.waitPut(context.Background(), 1); err != nil {
				t.Error(err)
			}
			wantSaid(t, got(1), get)
		},
		"a Get that finds an item at the second look": func(t *testing.T, q *Queue[int]) {
			q.TryPut(1)
			put := laterPut(q, 2)
			if v, err := q.waitGet(context.Background()); v != 1 || err != nil {
				t.Errorf("got %d, %v", v, err)
			}
			wantSaid(t, ok, put)
		},
		"a Get that waits is served before Close": func(t *testing.T, q *Queue[int]) {
			get := laterGet(q)
			halfPut(t, q, 1)
			q.Close()
			wantSaid(t, got(1), get)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New[int](1)
				defer q.CloseNow() // lest a failure leaves somebody waiting
				run(t, q)
			})
		})
	}
}

// An item that is put before Close is got before ErrClosed.
func TestWhatIsPutBeforeCloseIsGot(t *testing.T) {
	for range 20_000 {
		q := New[int](1)
		go func() {
			q.TryPut(1)
			q.Close()
		}()
		for {
			_, err := q.TryGet()
			if err == nil {
				break
			}
			if err == ErrClosed {
				t.Fatal("closed, and an item in it")
			}
		}
	}
}

// Wait looks again when it has said that it waits, and a Done when it is about to wake those who do.
func TestTheLastLooksOfWaitAndDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](2)
		q.TryPut(1)
		wait := later(func() string { return verdict(q.Wait(context.Background())) })
		q.tellJoiners() // as a Done that saw the moment before the item was put
		synctest.Wait()
		if len(wait) != 0 {
			t.Error("Wait returns though an item is unfinished")
		}
		q.TryGet()
		q.Done()
		wantSaid(t, ok, wait)
		if q.joiners.Load() || q.idle != nil {
			t.Error("nobody waits, and yet the next Done will look for them")
		}
		if q.joiner() != nil { // as a Wait that missed that Done
			t.Error("Wait waits though nothing is unfinished")
		}
	})
}

// Whenever it is asked, the length is one that the queue can have.
func TestLenIsInBounds(t *testing.T) {
	const n = 20_000
	q := New[int](2)
	ctx := context.Background()
	var stop atomic.Bool
	go func() {
		for v := range n {
			q.Put(ctx, v)
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			q.Get(ctx)
		}
		stop.Store(true)
	}()
	for !stop.Load() {
		if l := q.Len(); l < 0 || l > q.Cap() {
			t.Fatalf("%d items in a queue of %d", l, q.Cap())
		}
	}
	<-done
}
