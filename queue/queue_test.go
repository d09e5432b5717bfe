package queue_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/queue"
)

var bg = context.Background()

func TestNewPanicsWithoutCapacity(t *testing.T) {
	for capacity, want := range map[int]string{
		0:             "queue: New: capacity is 0, want 1 or more",
		-1:            "queue: New: capacity is -1, want 1 or more",
		math.MinInt64: "queue: New: capacity is -9223372036854775808, want 1 or more",
	} {
		func() {
			defer func() {
				if p := recover(); p != want {
					t.Errorf("New panics with %v, want %s", p, want)
				}
			}()
			queue.New[int](capacity)
		}()
	}
	if n := queue.New[string](3).Cap(); n != 3 {
		t.Errorf("Cap is %d, want 3", n)
	}
}

// Put, Get and Wait tell both how the context ended and why, whether it ends before or while they wait.
func TestErrorsCarryTheCause(t *testing.T) {
	why := errors.New("shutting down")
	full := func() *queue.Queue[int] {
		q := queue.New[int](1)
		q.TryPut(1)
		return q
	}
	for name, call := range map[string]func(context.Context) error{
		"Put": func(ctx context.Context) error { return full().Put(ctx, 2) },
		"Get": func(ctx context.Context) error {
			_, err := queue.New[int](1).Get(ctx)
			return err
		},
		"Wait": func(ctx context.Context) error { return full().Wait(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(bg, time.Second, why)
				defer cancel()
				for _, when := range []string{"while it waits", "before"} {
					begun := time.Now()
					err := call(ctx)
					if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, why) {
						t.Errorf("a context that ends %s: %v", when, err)
					}
					if took := time.Since(begun); when == "before" && took != 0 || when != "before" && took != time.Second {
						t.Errorf("a context that ends %s: it took %v", when, took)
					}
				}
			})
		})
	}
}

func TestAContextThatHasEndedMovesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	q := queue.New[int](2)
	if err := q.Put(ctx, 1); err != context.Canceled || q.Len() != 0 {
		t.Errorf("Put says %v and the queue holds %d", err, q.Len())
	}
	q.TryPut(2)
	if v, err := q.Get(ctx); err != context.Canceled || v != 0 || q.Len() != 1 {
		t.Errorf("Get says %d, %v and the queue holds %d", v, err, q.Len())
	}
	for v := range q.All(ctx) {
		t.Errorf("All gives %d", v)
	}
	q.TryGet()
	q.Done()
	if err := q.Wait(ctx); err != nil {
		t.Errorf("Wait says %v, though nothing is unfinished", err)
	}
}

func TestCloseLetsTheRestBeGot(t *testing.T) {
	q := queue.New[int](3)
	for v := range 3 {
		if err := q.Put(bg, v); err != nil {
			t.Fatal(err)
		}
	}
	q.Close()
	q.Close()
	if err := q.Put(bg, 3); err != queue.ErrClosed {
		t.Errorf("Put after Close: %v", err)
	}
	if err := q.TryPut(3); err != queue.ErrClosed {
		t.Errorf("TryPut after Close: %v", err)
	}
	if v, err := q.Get(bg); v != 0 || err != nil {
		t.Errorf("the first is %d, %v", v, err)
	}
	if rest := q.CloseNow(); !slices.Equal(rest, []int{1, 2}) {
		t.Errorf("CloseNow after Close leaves %v, want 1 and 2", rest)
	}
	if rest := q.CloseNow(); rest != nil {
		t.Errorf("a second CloseNow leaves %v", rest)
	}
	if _, err := q.Get(bg); err != queue.ErrClosed {
		t.Errorf("Get of the closed and empty queue: %v", err)
	}
	if _, err := q.TryGet(); err != queue.ErrClosed {
		t.Errorf("TryGet of the closed and empty queue: %v", err)
	}
	q.Done()
	if err := q.Wait(bg); err != nil {
		t.Error(err)
	}
}

func TestDonePanicsIfThereIsNothingToBeDone(t *testing.T) {
	q := queue.New[int](2)
	must := func(when string) {
		t.Helper()
		defer func() {
			if p := recover(); p != "queue: Done: more often than items were got" {
				t.Errorf("%s: Done panics with %v", when, p)
			}
		}()
		q.Done()
	}
	must("empty")
	q.TryPut(1)
	must("put, not got")
	q.TryGet()
	q.Done()
	must("done")
	q.TryPut(1)
	if q.CloseNow(); q.Wait(bg) != nil {
		t.Error("unfinished after CloseNow")
	}
	must("closed")
}

// However the body of the loop ends, its item is done, and no other one is taken.
func TestAllMarksItemsDone(t *testing.T) {
	boom := errors.New("boom")
	for name, body := range map[string]func(q *queue.Queue[int]){
		"break": func(q *queue.Queue[int]) {
			for range q.All(bg) {
				break
			}
		},
		"return": func(q *queue.Queue[int]) {
			for range q.All(bg) {
				return
			}
		},
		"panic": func(q *queue.Queue[int]) {
			defer func() {
				if p := recover(); p != boom {
					t.Errorf("the panic came out as %v", p)
				}
			}()
			for range q.All(bg) {
				panic(boom)
			}
		},
		"goexit": func(q *queue.Queue[int]) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range q.All(bg) {
					runtime.Goexit()
				}
			}()
			<-done
		},
	} {
		t.Run(name, func(t *testing.T) {
			q := queue.New[int](2)
			q.TryPut(1)
			q.TryPut(2)
			body(q)
			if v, err := q.TryGet(); v != 2 || err != nil {
				t.Fatalf("the next item is %d, %v; want 2", v, err)
			}
			q.Done()
			ctx, cancel := context.WithCancel(bg)
			cancel()
			if err := q.Wait(ctx); err != nil {
				t.Errorf("unfinished: %v", err)
			}
		})
	}
}

// An item is done only after its body, not when the next is got.
func TestAllMarksAnItemDoneAfterItsBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New[int](2)
		q.TryPut(1)
		q.Close()
		finished := make(chan time.Time, 1)
		go func() {
			if err := q.Wait(bg); err != nil {
				t.Error(err)
			}
			finished <- time.Now()
		}()
		begun := time.Now()
		for range q.All(bg) {
			time.Sleep(time.Hour)
		}
		if took := (<-finished).Sub(begun); took != time.Hour {
			t.Errorf("Wait took %v, want 1h", took)
		}
	})
}

// The loop ends with its context even if the queue never gets empty.
func TestAllEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	q := queue.New[int](1)
	q.TryPut(0)
	n := 0
	for v := range q.All(ctx) {
		q.TryPut(v + 1)
		if n++; n == 3 {
			cancel()
		}
	}
	if n != 3 || q.Len() != 1 {
		t.Errorf("%d items after the third was the last, and the queue holds %d", n, q.Len())
	}
}
