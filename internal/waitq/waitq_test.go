package waitq

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Random operations, against a slice.
func TestQueueKeepsItsOrder(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var q Queue[int]
		var want, out []*Waiter[int]
		var values []int
		drop := func(k int) {
			out = append(out, want[k])
			want, values = slices.Delete(want, k, k+1), slices.Delete(values, k, k+1)
		}
		for i := range 500 {
			switch op := rng.IntN(6); {
			case op < 2:
				w := q.Push(i)
				if slices.Contains(want, w) {
					t.Fatal("a waiter stands in the queue twice")
				}
				want, values = append(want, w), append(values, i)
				out = slices.DeleteFunc(out, func(o *Waiter[int]) bool { return o == w })
			case op == 2:
				// Some of the queue, in any order, is told something; each hears it once.
				var b Batch[int]
				outcomes := map[*Waiter[int]]Outcome{}
				for range rng.IntN(len(want) + 1) {
					k := rng.IntN(len(want))
					w, what := want[k], Outcome(rng.IntN(2))
					if outcomes[w] = what; what == Granted {
						q.Grant(w, &b)
					} else {
						q.Dismiss(w, &b)
					}
					drop(k)
				}
				b.Wake()
				b.Wake() // of nobody
				for w, what := range outcomes {
					if got := w.Taken(); got != what {
						t.Fatalf("told %v, want %v", got, what)
					}
					q.Recycle(w)
				}
			case op == 3 && len(want) > 0:
				k := rng.IntN(len(want))
				w := want[k]
				if !q.Remove(w) || q.Remove(w) {
					t.Fatal("Remove does not remove once")
				}
				drop(k)
				q.Recycle(w)
			case op == 4 && len(out) > 0:
				if q.Remove(out[rng.IntN(len(out))]) {
					t.Fatal("Remove of a waiter that is out")
				}
			}
			var got []*Waiter[int]
			var gotValues []int
			for w := q.Front(); w != nil; w = q.Behind(w) {
				got, gotValues = append(got, w), append(gotValues, w.Value)
			}
			var back []*Waiter[int]
			for w := q.Back(); w != nil; w = w.prev {
				back = append(back, w)
			}
			slices.Reverse(back)
			if !slices.Equal(got, want) || !slices.Equal(back, want) || !slices.Equal(gotValues, values) {
				t.Fatal("the links of the queue are not its order")
			}
		}
	}
}

// tell grants w what it waits for, or dismisses it.
func tell(q *Queue[string], w *Waiter[string], what Outcome) {
	var b Batch[string]
	q.tell(w, what, &b)
	b.Wake()
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		canceled := make(chan struct{})
		close(canceled)
		var q Queue[string]
		w := q.Push("")
		// The timer is used again and again, and what an earlier Wait left in it must not end a later one.
		for range 3 {
			begun := time.Now()
			if got := w.Wait(nil, time.Second); got != Late || time.Since(begun) != time.Second {
				t.Fatalf("got %v after %v, want Late after 1s", got, time.Since(begun))
			}
			if got := w.Wait(canceled, time.Second); got != Ended {
				t.Fatalf("got %v, want Ended", got)
			}
			time.Sleep(2 * time.Second)
			for _, what := range []Outcome{Granted, Dismissed} {
				tell(&q, w, what)
				if got := w.Wait(nil, 0); got != what {
					t.Fatalf("got %v, want %v", got, what)
				}
				q.Recycle(w)
				if q.Push("") != w {
					t.Fatal("the waiter is not used again")
				}
			}
			go func() {
				time.Sleep(time.Second - 1)
				tell(&q, w, Granted)
			}()
			if got := w.Wait(nil, time.Second); got != Granted {
				t.Fatalf("got %v, want Granted", got)
			}
			q.Recycle(w)
			q.Push("")
		}
		tell(&q, w, Dismissed)
		if got := w.Taken(); got != Dismissed {
			t.Fatalf("Taken is %v, want Dismissed", got)
		}
		q.Recycle(w)
		if got := q.Push("").Wait(canceled, 0); got != Ended {
			t.Fatalf("after Taken the Wait ended by %v, want Ended", got)
		}
	})
}

// What is handed over is there when the waiter wakes, and is not kept afterwards.
func TestHandingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue[string]
		w := q.Push("")
		go func() {
			var b Batch[string]
			w.Value = "a letter"
			q.Grant(w, &b)
			b.Wake()
		}()
		if got := w.Wait(nil, 0); got != Granted || w.Value != "a letter" {
			t.Errorf("%v with %q", got, w.Value)
		}
		q.Recycle(w)
		if w.Value != "" {
			t.Errorf("%q is kept alive", w.Value)
		}
	})
}

func TestABatchWakesInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue[int]
		var b Batch[int]
		var order []int
		for i := range 10 {
			q.Push(i)
		}
		// From the back, and one in the middle first.
		q.Grant(q.Behind(q.Front()), &b)
		for q.Back() != nil {
			q.Grant(q.Back(), &b)
		}
		for w := b.first; w != nil; w = w.next {
			order = append(order, w.Value)
		}
		if want := []int{1, 9, 8, 7, 6, 5, 4, 3, 2, 0}; !slices.Equal(order, want) {
			t.Errorf("they wake in the order %v, want %v", order, want)
		}
		b.Wake()
	})
}

func TestSpareWaitersAreUsedAgainAndBounded(t *testing.T) {
	var q Queue[int]
	var all []*Waiter[int]
	for range 2 * maxSpare {
		all = append(all, q.Push(0))
	}
	for _, w := range all {
		q.Remove(w)
		q.Recycle(w)
	}
	if q.spares != maxSpare {
		t.Errorf("%d are kept, want %d", q.spares, maxSpare)
	}
	for range maxSpare {
		if !slices.Contains(all, q.Push(0)) {
			t.Fatal("a new waiter while used ones are kept")
		}
	}
	if q.spare != nil || q.spares != 0 {
		t.Errorf("%d are said to be kept of none", q.spares)
	}
	if slices.Contains(all, q.Push(0)) {
		t.Error("a waiter is given out twice")
	}
}

// A waiter may be used again as soon as it wakes, while the Wake that woke it goes on.
func TestWakeDoesNotLookAtWhomItHasWoken(t *testing.T) {
	const waiters, rounds = 8, 300
	var mu sync.Mutex
	var q Queue[int]
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			for range rounds {
				mu.Lock()
				w := q.Push(0)
				mu.Unlock()
				w.Wait(nil, 0)
				mu.Lock()
				q.Recycle(w)
				mu.Unlock()
			}
		})
	}
	for told := 0; told < waiters*rounds; runtime.Gosched() {
		var out Batch[int]
		mu.Lock()
		for ; q.Front() != nil; told++ {
			q.Grant(q.Front(), &out)
		}
		mu.Unlock()
		out.Wake()
	}
	wg.Wait()
	if q.Front() != nil || q.spares > waiters {
		t.Errorf("%d are kept of %d, and somebody waits: %t", q.spares, waiters, q.Front() != nil)
	}
}
