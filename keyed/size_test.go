package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/timeout"
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	type pair struct {
		a, b string
		n    int
	}
	byName := keyed.New(keyed.Config[string]{New: newBreaker})
	byPair := keyed.New(keyed.Config[pair]{New: func(pair) mettle.Policy { return bulkhead.New(bulkhead.Config{Limit: 1}) }})
	stacks := keyed.New(keyed.Config[int]{New: func(int) mettle.Policy {
		return mettle.Compose(breaker.New(breaker.Config{}), bulkhead.New(bulkhead.Config{Limit: 1}))
	}})
	bounds := keyed.New(keyed.Config[int]{New: func(int) mettle.Policy { return timeout.After(time.Hour) }})
	foreign := keyed.New(keyed.Config[int]{New: func(int) mettle.Policy { return &tagged{} }})
	full := keyed.New(keyed.Config[int]{Max: 1, New: func(int) mettle.Policy { return &tagged{stale: true} }})
	full.For(1)
	refused := full.For(2)
	around := mettle.Compose(bulkhead.New(bulkhead.Config{Limit: 1}), byName.For("host-7"))
	name, answer := fmt.Sprint("host-", 7), func(context.Context) (int, error) { return 1, nil }
	sink := 0
	for _, c := range []struct {
		name string
		want float64
		run  func()
	}{
		{"For a string", 0, func() { byName.For(name) }},
		{"For a struct", 0, func() { byPair.For(pair{name, name, 3}) }},
		{"Do", 0, func() { byName.For(name).Do(bg, nothing) }},
		{"Call of a breaker", 0, func() { sink, _ = mettle.Call(bg, byName.For(name), answer) }},
		{"Call of a stack of gates", 0, func() { sink, _ = mettle.Call(bg, stacks.For(7), answer) }},
		{"Call of a timeout", 1, func() { sink, _ = mettle.Call(bg, bounds.For(7), answer) }},
		{"Call of a foreign policy", 2, func() { sink, _ = mettle.Call(bg, foreign.For(7), answer) }},
		{"Call of a stack around a breaker", 1, func() { sink, _ = mettle.Call(bg, around, answer) }},
		{"Acquire", 1, func() {
			p, _ := byName.Acquire(bg, name)
			p.Done(nil)
		}},
		{"a rejected call", 0, func() { refused.Do(bg, nothing) }},
	} {
		if got := testing.AllocsPerRun(200, c.run); got > c.want {
			t.Errorf("%s: %v allocations, want %v", c.name, got, c.want)
		}
	}
	if sink != 1 {
		t.Errorf("the last call returned %d", sink)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

func TestMemoryOf100000Keys(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const n = 100_000
	names := hosts(n)
	bytes := func(make func(string) mettle.Policy) int64 {
		before := heap()
		m := keyed.New(keyed.Config[string]{Max: n, New: make})
		for _, k := range names {
			m.For(k)
		}
		after := heap()
		if m.Len() != n {
			t.Fatalf("%d keys of %d", m.Len(), n)
		}
		runtime.KeepAlive(names)
		return (after - before) / n
	}
	one := &tagged{}
	for _, tc := range []struct {
		what string
		most int64
		make func(string) mettle.Policy
	}{
		{"a policy that is there already", 150, func(string) mettle.Policy { return one }},
		{"a breaker and a bulkhead", 1000, func(k string) mettle.Policy { // 100 MB in all
			return mettle.Compose(breaker.New(breaker.Config{Name: k}), bulkhead.New(bulkhead.Config{Name: k, Limit: 10}))
		}},
		{"a breaker and a rate limit", 1000, func(k string) mettle.Policy {
			return mettle.Compose(breaker.New(breaker.Config{Name: k}), ratelimit.New(ratelimit.Config{Name: k, Rate: 100, Burst: 10}))
		}},
	} {
		got := bytes(tc.make)
		t.Logf("a key with %s takes %d bytes", tc.what, got)
		if got > tc.most {
			t.Errorf("a key with %s takes %d bytes, want at most %d", tc.what, got, tc.most)
		}
	}
}

// Of many places, one that comes free is found: at once after a quiet time, else when the search comes by.
func TestTheOneFreePlaceIsFound(t *testing.T) {
	for _, patient := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const most = 5000
			m := keyed.New(keyed.Config[int]{Max: most, New: func(int) mettle.Policy { return bulkhead.New(bulkhead.Config{Limit: 1}) }})
			var permits []mettle.Permit
			for k := range most {
				p, err := m.Acquire(bg, k)
				if err != nil {
					t.Fatal(err)
				}
				permits = append(permits, p)
			}
			late := m.For(-1)
			if err := late.Do(bg, nothing); !errors.Is(err, keyed.ErrFull) {
				t.Fatalf("full, got %v", err)
			}
			permits[1234].Done(nil)
			tries := 1
			if patient {
				time.Sleep(most * time.Microsecond)
			} else {
				tries = 200
			}
			for ; tries > 0 && late.Do(bg, nothing) != nil; tries-- {
			}
			if tries == 0 || m.Len() != most {
				t.Errorf("patient %v: the free place was not found, %d keys", patient, m.Len())
			}
		})
	}
}

// A map that is full for good does not look at all of its policies in each call that it turns away.
func TestBeingTurnedAwayIsCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		m := keyed.New(keyed.Config[int]{Max: 5000, New: func(int) mettle.Policy {
			return &tagged{stale: true, asked: func() { asked++ }}
		}})
		for k := range 5000 {
			m.For(k)
		}
		late := m.For(-1)
		if asked < 5000 {
			t.Errorf("For gave up after a look at %d policies", asked)
		}
		asked = 0
		for range 100 {
			if late.Do(bg, nothing) == nil {
				t.Fatal("let in")
			}
		}
		if asked > 100*2*200 {
			t.Errorf("100 calls were turned away after a look at %d policies", asked)
		}
	})
}

// Sweeps are small, so that no call is slow, and still come to all.
func TestAllShardsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyed.New(keyed.Config[int]{Max: 5000, Idle: time.Minute, New: func(int) mettle.Policy { return &tagged{} }})
		for k := range 5000 {
			m.For(k).Do(bg, nothing)
		}
		for range 75 * 64 * 2 {
			time.Sleep(time.Second / 64)
			for range 16 {
				m.For(7).Do(bg, nothing)
			}
		}
		if m.Len() != 1 {
			t.Errorf("%d policies left of which one is used", m.Len())
		}
	})
}
