package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle/internal/waitq"
)

// item is the nth of its producer.
type item struct{ from, n int }

// A crowd of producers and consumers, of whom many are canceled at any moment. Every item arrives once, a producer's
// items arrive in their order, what was refused does not arrive, and in the end nobody is stuck: the bubble would tell.
func TestEveryItemArrivesOnce(t *testing.T) {
	for _, tc := range []struct {
		capacity, producers, consumers int
		closeAt                        int64 // CloseNow after so many puts; 0 is Close after all of them
	}{
		{1, 1, 1, 0}, {1, 4, 4, 0}, {2, 8, 2, 0}, {3, 2, 8, 0}, {64, 4, 4, 0},
		{1, 4, 4, 1000}, {3, 8, 2, 1000}, {64, 2, 8, 1000},
	} {
		t.Run(fmt.Sprintf("capacity %d, %dP%dC, CloseNow at %d", tc.capacity, tc.producers, tc.consumers, tc.closeAt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New[item](tc.capacity)
				var puts, canceled atomic.Int64
				produced := make([][]item, tc.producers) // what Put took
				consumed := make([][]item, tc.consumers)
				var rest []item
				var producers, consumers sync.WaitGroup
				for p := range produced {
					producers.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(p), 1))
						for n := 0; n < 4000/tc.producers; {
							err := hurried(rng, func(ctx context.Context) error { return q.Put(ctx, item{p, n}) })
							switch {
							case err == nil:
								produced[p] = append(produced[p], item{p, n})
								n++
								if puts.Add(1) == tc.closeAt {
									rest = q.CloseNow()
								}
							case errors.Is(err, context.Canceled):
								canceled.Add(1) // and again
							case err == ErrClosed && tc.closeAt > 0:
								return
							default:
								t.Errorf("Put: %v", err)
								return
							}
						}
					})
				}
				for c := range consumed {
					consumers.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(c), 2))
						for {
							var v item
							err := hurried(rng, func(ctx context.Context) (err error) {
								v, err = q.Get(ctx)
								return err
							})
							switch {
							case err == nil:
								consumed[c] = append(consumed[c], v)
								q.Done()
							case errors.Is(err, context.Canceled):
								canceled.Add(1)
							case err == ErrClosed:
								return
							default:
								t.Errorf("Get: %v", err)
								return
							}
						}
					})
				}
				producers.Wait()
				q.Close()
				if err := q.Wait(context.Background()); err != nil {
					t.Errorf("Wait: %v", err)
				}
				consumers.Wait()

				for c, items := range append(consumed, rest) {
					last := slices.Repeat([]int{-1}, tc.producers)
					for _, v := range items {
						if v.n <= last[v.from] {
							t.Fatalf("consumer %d got %v after %d", c, v, last[v.from])
						}
						last[v.from] = v.n
					}
				}
				if in, out := sorted(produced...), sorted(append(consumed, rest)...); !slices.Equal(in, out) {
					t.Errorf("%d items were put and %d arrived, or not the same", len(in), len(out))
				}
				if q.Len() != 0 || q.in.line.Front() != nil || q.out.line.Front() != nil || q.putters.Load() || q.getters.Load() {
					t.Error("something is left over")
				}
				if canceled.Load() == 0 {
					t.Error("nobody was canceled")
				}
			})
		})
	}
}

// hurried runs fn with a context that ends at some moment, perhaps before, perhaps never.
func hurried(rng *rand.Rand, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rng.IntN(2) == 0 {
		go func() {
			cancel()
		}()
	}
	if rng.IntN(8) == 0 {
		runtime.Gosched()
	}
	return fn(ctx)
}

func sorted(lists ...[]item) []item {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b item) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.n - b.n
	})
	return all
}

// What was got, handed over or given up is not kept in memory by the queue.
func TestItemsAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[*int](2)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		sides := map[string]*side[*int]{"Put": &q.in, "Get": &q.out}
		waiters := map[string][]*waitq.Waiter[*int]{}
		note := func(name string) {
			synctest.Wait()
			line := &sides[name].line
			for w := line.Front(); w != nil; w = line.Behind(w) {
				waiters[name] = append(waiters[name], w)
			}
		}
		for range 3 {
			go q.Get(ctx)
		}
		note("Get")
		for range 6 { // three are handed over, two fill the ring
			q.TryPut(new(int))
		}
		for range 3 {
			go q.Put(ctx, new(int))
		}
		note("Put")
		q.TryGet() // lets one of them in
		synctest.Wait()
		cancel() // the others give up
		synctest.Wait()
		if rest := q.CloseNow(); len(rest) != 2 {
			t.Errorf("%d items are left, want 2", len(rest))
		}
		for i, v := range q.ring {
			if v != nil {
				t.Errorf("place %d of the ring is not empty", i)
			}
		}
		for name, used := range waiters {
			for _, w := range used {
				if w.Value != nil {
					t.Errorf("a waiter of %s still has an item", name)
				}
			}
			for range 3 {
				if !slices.Contains(used, sides[name].line.Push(nil)) {
					t.Errorf("a waiter of %s is not kept for later", name)
				}
			}
		}
	})
}

// panicky is a context whose Done panics.
type panicky struct{ context.Context }

func (panicky) Done() <-chan struct{} { panic("Done") }

func TestAContextThatPanicsLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](1)
		ctx := panicky{context.Background()}
		panics := func(name string, call func()) {
			defer func() {
				if recover() != "Done" {
					t.Errorf("%s: did not panic", name)
				}
			}()
			call()
		}
		panics("Get", func() { q.Get(ctx) })
		if err := q.TryPut(1); err != nil || q.Len() != 1 || q.getters.Load() {
			t.Errorf("after the Get, TryPut says %v and the queue holds %d", err, q.Len())
		}
		panics("Put", func() { q.Put(ctx, 2) })
		panics("Wait", func() { q.Wait(ctx) })
		if q.joiners.Load() || q.idle != nil {
			t.Error("after the Wait, a Done will look for somebody")
		}
		if v, err := q.TryGet(); v != 1 || err != nil || q.Len() != 0 || q.putters.Load() {
			t.Errorf("after the Put, TryGet says %d, %v and the queue holds %d", v, err, q.Len())
		}
	})
}

// Close, CloseNow, Wait and Done at the same time: each item goes one way, and nobody is left waiting.
func TestClosesRace(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			q := New[int](2)
			var in, out atomic.Int64
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					for v := 1; q.Put(context.Background(), v) == nil; v++ {
						in.Add(1)
					}
				})
				wg.Go(func() {
					for range q.All(context.Background()) {
						out.Add(1)
					}
				})
				wg.Go(func() {
					for range rand.IntN(50) {
						runtime.Gosched()
					}
					q.Close()
				})
				wg.Go(func() {
					for range rand.IntN(50) {
						runtime.Gosched()
					}
					out.Add(int64(len(q.CloseNow())))
				})
				wg.Go(func() {
					if err := q.Wait(context.Background()); err != nil {
						t.Errorf("Wait: %v", err)
					}
				})
			}
			wg.Wait()
			if in.Load() != out.Load() {
				t.Errorf("%d in, %d out", in.Load(), out.Load())
			}
			if err := q.Wait(context.Background()); err != nil || q.Len() != 0 {
				t.Errorf("in the end Wait says %v and the queue holds %d", err, q.Len())
			}
		})
	}
}

// Waits that begin and end all the time miss nothing: there is no moment in which one waits for what is done.
func TestWaitMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int](4)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for v := range 2000 {
					if err := q.Put(context.Background(), v); err != nil {
						t.Error(err)
					}
					if err := q.Wait(context.Background()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var consumers sync.WaitGroup
		for range 2 {
			consumers.Go(func() {
				for range q.All(context.Background()) {
				}
			})
		}
		wg.Wait()
		q.Close()
		consumers.Wait()
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	synctest.Test(t, func(t *testing.T) {
		q := New[int](1)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if n := testing.AllocsPerRun(200, func() {
			q.Put(ctx, 1)
			q.Get(ctx)
			q.Done()
		}); n != 0 {
			t.Errorf("%v allocations to pass an item", n)
		}
		echo := New[int](1)
		go func() {
			for v := range q.All(ctx) {
				echo.Put(ctx, v)
			}
			echo.Close()
		}()
		// The first waits make their waiters, and later ones use them again.
		if n := testing.AllocsPerRun(200, func() {
			q.Put(ctx, 1)
			if _, err := echo.Get(ctx); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}); n != 0 {
			t.Errorf("%v allocations to pass an item to one who waits", n)
		}
		q.Close()
	})
}
