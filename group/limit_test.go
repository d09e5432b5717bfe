package group_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func TestGoWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var returned []time.Duration
		err := group.RunWith(t.Context(), group.Config{Limit: 2}, func(g *group.Group) error {
			for i := range 5 {
				g.Go(func(context.Context) error { time.Sleep(time.Duration(i+1) * time.Second); return nil })
				returned = append(returned, time.Since(begin))
			}
			return nil
		})
		// The tasks of 1 and 2 s start at once, that of 3 s after 1, that of 4 s after 2 and that of 5 s after 4.
		want := []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second}
		if err != nil || !slices.Equal(returned, want) {
			t.Fatalf("err %v, Go returned after %v, want nil, %v", err, returned, want)
		}
	})
}

func TestGoStopsWaitingWhenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var waited time.Duration
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := group.RunWith(ctx, group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error { time.Sleep(time.Minute); return nil }) // deaf to its context
			g.Go(func(context.Context) error { t.Error("a canceled scope started a task"); return nil })
			waited = time.Since(begin)
			return nil
		})
		wantCounts(t, err, 1, 0, 0, 1)
		if waited != time.Second || time.Since(begin) != time.Minute {
			t.Fatalf("Go waited %v and Run took %v, want 1s and 1m", waited, time.Since(begin))
		}
	})
}

// A Go that no longer waits is told to return all the same, and more than once: nobody must be held up by that.
func TestAGoThatLeftIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := group.RunWith(ctx, group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error { time.Sleep(time.Minute); return nil })
			g.Go(succeed)
			g.Stop(0)
			return nil
		})
		wantCounts(t, err, 1, 0, 0, 1)
	})
}

// Before the Go that waited has noticed its task's start, that task may call Go as well. Neither of them takes the other's turn, or
// loses its own.
func TestGosThatWaitOneAfterAnother(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			err := group.RunWith(t.Context(), group.Config{Limit: 2}, func(g *group.Group) error {
				for range 20 {
					returned := make(chan struct{})
					g.Go(func(context.Context) error {
						g.Go(func(context.Context) error {
							g.Go(succeed)
							<-returned
							return nil
						})
						close(returned)
						return nil
					})
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// peak counts how many hold it at once, and the most that did.
type peak struct{ now, most atomic.Int64 }

func (p *peak) hold(during func()) {
	n := p.now.Add(1)
	for most := p.most.Load(); n > most && !p.most.CompareAndSwap(most, n); most = p.most.Load() {
	}
	during()
	p.now.Add(-1)
}

// A crawl: tasks that start tasks, while the body still starts its own. If each Go waited for a place, all places would soon
// be held by tasks that wait; the bubble reports such a deadlock.
func TestTasksStartTasksWithinLimit(t *testing.T) {
	for limit := 1; limit <= 4; limit++ {
		synctest.Test(t, func(t *testing.T) {
			var p peak
			var ran atomic.Int64
			err := group.RunWith(t.Context(), group.Config{Limit: limit}, func(g *group.Group) error {
				var visit func(depth int) func(context.Context) error
				visit = func(depth int) func(context.Context) error {
					return func(context.Context) error {
						p.hold(func() {
							ran.Add(1)
							time.Sleep(time.Second)
							for range min(depth, 3) {
								g.Go(visit(depth - 1))
							}
						})
						return nil
					}
				}
				for range 20 {
					g.Go(visit(3))
				}
				return nil
			})
			// A visit of depth 0 is 1, of 1 is 2, of 2 is 5, of 3 is 16.
			if err != nil || ran.Load() != 20*16 {
				t.Fatalf("err %v, %d visits, want nil, %d", err, ran.Load(), 20*16)
			}
			if p.most.Load() != int64(limit) {
				t.Fatalf("%d tasks at a time, want %d", p.most.Load(), limit)
			}
		})
	}
}

// A task that waits in Go is let go when the body returns: from then on nothing holds tasks back.
func TestGoReturnsAfterBodyHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		err := group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error {
				g.Go(func(context.Context) error { order = append(order, "second"); return nil })
				order = append(order, "first")
				return nil
			})
			time.Sleep(time.Second) // the task waits in Go by now
			order = append(order, "body")
			return nil
		})
		if want := []string{"body", "first", "second"}; err != nil || !slices.Equal(order, want) {
			t.Fatalf("err %v, order %v, want nil, %v", err, order, want)
		}
	})
}

// The Go that waits, waits for its own task: not for one that was queued before it.
func TestGoWaitsForItsOwnTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		pause := func(context.Context) error { time.Sleep(time.Second); return nil }
		var waited []time.Duration
		err := group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error {
				time.Sleep(time.Second) // the body waits by now, so these are queued
				g.Go(pause)
				g.Go(pause)
				return nil
			})
			for range 2 {
				g.Go(pause)
				waited = append(waited, time.Since(begin))
			}
			return nil
		})
		// After the first task runs one of the body's, then two pauses, then the body's other.
		if want := []time.Duration{time.Second, 4 * time.Second}; err != nil || !slices.Equal(waited, want) {
			t.Fatalf("err %v, Go returned after %v, want nil, %v", err, waited, want)
		}
	})
}

func TestQueueKeepsItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []int
		err := group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error {
				for i := range 100 {
					g.Go(func(context.Context) error { order = append(order, i); return nil })
				}
				return nil
			})
			return nil
		})
		if err != nil || len(order) != 100 || !slices.IsSorted(order) {
			t.Fatalf("err %v, order %v, want nil, 0 to 99", err, order)
		}
	})
}

func TestLimitIsNeverExceeded(t *testing.T) {
	const limit, callers, each = 5, 64, 50
	var p peak
	var ran atomic.Int64
	busy := func() {
		ran.Add(1)
		runtime.Gosched()
	}
	err := group.RunWith(t.Context(), group.Config{Limit: limit}, func(g *group.Group) error {
		var callersDone sync.WaitGroup
		for range callers {
			callersDone.Go(func() {
				for range each {
					g.Go(func(context.Context) error { p.hold(busy); return nil })
				}
			})
		}
		callersDone.Wait()
		return nil
	})
	if err != nil || ran.Load() != callers*each || p.most.Load() > limit {
		t.Fatalf("Go: err %v, %d ran, %d at a time, want nil, %d, at most %d", err, ran.Load(), p.most.Load(), callers*each, limit)
	}

	p.most.Store(0)
	ran.Store(0)
	_, err = group.Map(t.Context(), make([]int, 5000), group.Config{Limit: 64}, func(context.Context, int) (int, error) {
		p.hold(busy)
		return 0, nil
	})
	if err != nil || ran.Load() != 5000 || p.most.Load() > 64 {
		t.Fatalf("Map: err %v, %d ran, %d at a time, want nil, 5000, at most 64", err, ran.Load(), p.most.Load())
	}
}
