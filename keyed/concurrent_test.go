package keyed_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
)

const crowd = 64

// together runs f in a crowd of goroutines, each with its number and source of chance.
func together(f func(int, *rand.Rand)) {
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() { f(i, rand.New(rand.NewPCG(uint64(i), 7))) })
	}
	wg.Wait()
}

// Each key's bulkhead lets one in at a time. If a key had two of them, two would get in.
func TestNoKeyHasTwoPoliciesAtWork(t *testing.T) {
	const keys, most = 40, 16
	var inside [keys]atomic.Int64
	m := keyed.New(keyed.Config[int]{Max: most, New: func(int) mettle.Policy {
		return bulkhead.New(bulkhead.Config{Limit: 1})
	}})
	var ran, full, busy atomic.Int64
	work := func(k int, yields int) {
		if inside[k].Add(1) > 1 {
			t.Errorf("two calls of key %d at once", k)
		}
		if n := m.Len(); n > most {
			t.Errorf("%d policies of at most %d", n, most)
		}
		for range yields {
			m.For((k + yields) % keys) // somebody else's eviction
		}
		ran.Add(1)
		inside[k].Add(-1)
	}
	count := func(err error) {
		switch {
		case errors.Is(err, keyed.ErrFull):
			full.Add(1)
		case errors.Is(err, bulkhead.ErrFull):
			busy.Add(1)
		case err != nil:
			t.Error(err)
		}
	}
	together(func(_ int, r *rand.Rand) {
		var handles [keys]mettle.Policy
		for range 500 {
			k := r.IntN(keys)
			if handles[k] == nil || r.IntN(4) == 0 {
				handles[k] = m.For(k)
			}
			switch r.IntN(3) {
			case 0:
				count(handles[k].Do(bg, func(context.Context) error { work(k, r.IntN(3)); return nil }))
			case 1:
				v, err := mettle.Call(bg, handles[k], func(context.Context) (int, error) { work(k, r.IntN(3)); return k, nil })
				if err == nil && v != k {
					t.Errorf("Call returned %d for key %d", v, k)
				}
				count(err)
			default:
				permit, err := m.Acquire(bg, k)
				if err == nil {
					work(k, r.IntN(3))
					permit.Done(nil)
				}
				count(err)
			}
		}
	})
	d := m.Describe()
	if created, evicted := d.Metrics[1].Value, d.Metrics[2].Value; created-evicted != float64(m.Len()) {
		t.Errorf("%v created, %v evicted, and %d left", created, evicted, m.Len())
	}
	if got := d.Metrics[3].Value; got != float64(full.Load()) {
		t.Errorf("%v rejections told, and %d seen", got, full.Load())
	}
	if ran.Load() == 0 || ran.Load()+full.Load()+busy.Load() != crowd*500 {
		t.Errorf("%d calls ran, %d met a full map and %d a full bulkhead, of %d", ran.Load(), full.Load(), busy.Load(), crowd*500)
	}
	n := 0
	for range m.All() {
		n++
	}
	if n != m.Len() {
		t.Errorf("All yields %d keys, Len says %d", n, m.Len())
	}
}

// Far more places than calls at once: nobody may be turned away, whoever evicts what.
func TestNobodyIsTurnedAwayWithoutNeed(t *testing.T) {
	m := keyed.New(keyed.Config[int]{Max: 1000, New: func(int) mettle.Policy { return bulkhead.New(bulkhead.Config{Limit: crowd}) }})
	together(func(_ int, r *rand.Rand) {
		for range 500 {
			if err := m.For(r.IntN(3000)).Do(bg, nothing); err != nil {
				t.Error(err)
				return
			}
		}
	})
	if m.Len() > 1000 {
		t.Errorf("%d policies of at most 1000", m.Len())
	}
}

// All meet the same new keys at the same time, also where there is one place only.
func TestACrowdMakesOnePolicy(t *testing.T) {
	for _, most := range []int{1, 200} {
		m := keyed.New(keyed.Config[int]{Max: most, New: func(int) mettle.Policy { return &tagged{} }})
		for k := range 100 {
			var got [crowd]mettle.Policy
			start := make(chan struct{})
			var wg sync.WaitGroup
			for i := range crowd {
				wg.Go(func() {
					<-start
					got[i] = m.For(k)
					if err := got[i].Do(bg, nothing); err != nil {
						t.Errorf("key %d of a map with %d places: %v", k, most, err)
					}
				})
			}
			close(start)
			wg.Wait()
			for _, p := range got {
				if p != got[0] {
					t.Fatalf("two handles of one key that nobody evicted")
				}
			}
			if m.Len() != min(most, k+1) {
				t.Fatalf("%d policies after %d keys", m.Len(), k+1)
			}
		}
	}
}
