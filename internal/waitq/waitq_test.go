package waitq

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Random operations, against a slice.
func TestQueueIsFirstInFirstOut(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q Queue
		var want, out []*Waiter
		for range 500 {
			switch op := rng.IntN(5); {
			case op < 2:
				w := q.Push()
				if slices.Contains(want, w) {
					t.Fatal("a waiter stands in the queue twice")
				}
				want = append(want, w)
				out = slices.DeleteFunc(out, func(o *Waiter) bool { return o == w })
			case op == 2:
				w := q.Pop()
				if len(want) == 0 {
					if w != nil {
						t.Fatal("Pop of an empty queue")
					}
					continue
				}
				if w != want[0] {
					t.Fatal("Pop is not the first")
				}
				want = want[1:]
				q.Recycle(w)
				out = append(out, w)
			case op == 3 && len(want) > 0:
				k := rng.IntN(len(want))
				w := want[k]
				if !q.Remove(w) || q.Remove(w) {
					t.Fatal("Remove does not remove once")
				}
				want = slices.Delete(slices.Clone(want), k, k+1)
				q.Recycle(w)
				out = append(out, w)
			case op == 4 && len(out) > 0:
				if q.Remove(out[rng.IntN(len(out))]) {
					t.Fatal("Remove of a waiter that is out")
				}
			}
			var got []*Waiter
			for w := q.front; w != nil; w = w.next {
				got = append(got, w)
			}
			var back []*Waiter
			for w := q.back; w != nil; w = w.prev {
				back = append(back, w)
			}
			slices.Reverse(back)
			if !slices.Equal(got, want) || !slices.Equal(back, want) {
				t.Fatal("the links of the queue are not its order")
			}
		}
	}
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue
		w := q.Push()
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		// The timer is used again and again, and what an earlier Wait left in it must not end a later one.
		for range 3 {
			begun := time.Now()
			if got := w.Wait(context.Background(), time.Second); got != Late || time.Since(begun) != time.Second {
				t.Fatalf("got %v after %v, want Late after 1s", got, time.Since(begun))
			}
			if got := w.Wait(canceled, time.Second); got != Ended {
				t.Fatalf("got %v, want Ended", got)
			}
			time.Sleep(2 * time.Second)
			w.Grant()
			if got := w.Wait(context.Background(), 0); got != Granted {
				t.Fatalf("got %v, want Granted", got)
			}
			go func() {
				time.Sleep(time.Second - 1)
				w.Grant()
			}()
			if got := w.Wait(context.Background(), time.Second); got != Granted {
				t.Fatalf("got %v, want Granted", got)
			}
		}
		w.Grant()
		w.Taken()
		if got := w.Wait(canceled, 0); got != Ended {
			t.Fatalf("after Taken the Wait ended by %v, want Ended", got)
		}
	})
}

func TestSpareWaitersAreUsedAgainAndBounded(t *testing.T) {
	var q Queue
	var all []*Waiter
	for range 2 * maxSpare {
		all = append(all, q.Push())
	}
	for q.Pop() != nil {
	}
	for _, w := range all {
		q.Recycle(w)
	}
	if q.spares != maxSpare {
		t.Errorf("%d are kept, want %d", q.spares, maxSpare)
	}
	for range maxSpare {
		if !slices.Contains(all, q.Push()) {
			t.Fatal("a new waiter while used ones are kept")
		}
	}
	if q.spare != nil || q.spares != 0 {
		t.Errorf("%d are said to be kept of none", q.spares)
	}
	if slices.Contains(all, q.Push()) {
		t.Error("a waiter is given out twice")
	}
}
