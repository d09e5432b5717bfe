package group_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/mettle-go/mettle/group"
)

// memory returns what has been allocated up to now, and what of it is live.
func memory() (allocs, bytes, live uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs, m.TotalAlloc, m.HeapAlloc
}

// A million items through a stream take the memory of a few, if the loop does not keep them.
func TestStreamMemoryIsFlat(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 1_000_000
	for _, cfg := range []group.Config{{}, {Limit: 64, Unordered: true}} {
		allocs, bytes, live := memory()
		seen, most := 0, uint64(0)
		for _, err := range group.Stream(t.Context(), count(n), cfg, double) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen%250_000 == 0 {
				_, _, now := memory()
				most = max(most, now-min(now, live))
			}
		}
		allocs2, bytes2, _ := memory()
		if seen != n || allocs2-allocs > n/100 || bytes2-bytes > n || most > 256<<10 {
			t.Errorf("%+v: %d items with %d allocations of %d bytes, %d live", cfg, seen, allocs2-allocs, bytes2-bytes, most)
		}
	}
}

// What a stream has yielded, and what it has called for, it does not keep.
func TestStreamKeepsNothing(t *testing.T) {
	type block [64 << 10]byte
	const n, limit = 100, 3
	seq := func(yield func(*block) bool) {
		for range n {
			if !yield(new(block)) {
				return
			}
		}
	}
	fresh := func(context.Context, *block) (*block, error) { return new(block), nil }
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			_, _, before := memory()
			seen := 0
			for range group.Stream(t.Context(), seq, group.Config{Limit: limit, Unordered: unordered}, fresh) {
				seen++
				synctest.Wait() // all that are ahead have ended: there is a value for each, and no item
				ahead := min(2*limit, n-seen)
				if _, _, now := memory(); now > before+uint64(2*ahead+3)*uint64(len(block{}))/2 {
					t.Fatalf("unordered %v: %d KiB are live after %d items, %d ahead", unordered, (now-before)>>10, seen, ahead)
				}
			}
		})
	}
}

// Beside its input and output a Map takes next to nothing for an item that succeeds, and less than 60 bytes for one that does
// not.
func TestMapMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	const n = 1_000_000
	items := make([]int, n)
	for _, c := range []struct {
		name string
		fn   func(context.Context, int) (int, error)
		most uint64 // bytes an item
	}{
		{"success", double, 0},
		{"failure", func(context.Context, int) (int, error) { return 0, errBoom }, 60},
	} {
		_, _, before := memory()
		results, err := group.Map(t.Context(), items, group.Config{MaxFailures: -1}, c.fn)
		_, _, after := memory()
		if live := after - before - 8*n; live > n*c.most+64<<10 {
			t.Errorf("%s: %d bytes an item, want %d", c.name, live/n, c.most)
		}
		runtime.KeepAlive(results)
		runtime.KeepAlive(err)
	}
}

// Tasks that will never be started are not kept until the scope ends, be it one whose Go waits or one behind it.
func TestDroppedTasksAreLetGo(t *testing.T) {
	type block [1 << 10]byte
	var tasks [2]weak.Pointer[block]
	task := func(i int) func(context.Context) error {
		b := new(block)
		tasks[i] = weak.Make(b)
		return func(context.Context) error { b[0]++; return nil }
	}
	synctest.Test(t, func(t *testing.T) {
		err := group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error {
				time.Sleep(time.Second) // the body waits by now, so this is queued
				g.Go(task(1))
				g.Stop(time.Hour)
				time.Sleep(time.Minute)
				return nil
			})
			g.Go(task(0))
			runtime.GC()
			for i, p := range tasks {
				if p.Value() != nil {
					t.Errorf("task %d is kept", i)
				}
			}
			return nil
		})
		wantCounts(t, err, 1, 0, 0, 2)
	})
}
