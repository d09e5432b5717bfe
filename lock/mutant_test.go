package lock

import (
	"context"
	"testing"
	"testing/synctest"
)

// The bugs planted here are those that locks of this world have had.

// barging sets the lock free and wakes the first of the line to race for it.
type barging struct{ mutexes }

func (m *barging) Unlock(k int) {
	var next batch
	l := &m.mutexes[k]
	l.mu.Lock()
	if w := l.queue.Front(); w != nil {
		l.queue.Grant(w, &next)
		l.fewer()
	}
	l.mu.Unlock()
	if !l.word.CompareAndSwap(locked, free) {
		if l.word.Load() == free {
			panic("not locked")
		}
		l.word.Store(free)
	}
	next.Wake()
}

// forgetful sets the lock free without a look at the line.
type forgetful struct{ mutexes }

func (m *forgetful) Unlock(k int) {
	if m.mutexes[k].word.Swap(free) == free {
		panic("not locked")
	}
}

// leaky leaves one in the line who has given up.
type leaky struct{ mutexes }

func (m *leaky) Lock(ctx context.Context, k int) error {
	err := m.mutexes.Lock(ctx, k)
	l := &m.mutexes[k]
	l.mu.Lock()
	if err != nil && (l.word.CompareAndSwap(locked, contended) || l.word.Load() == contended) {
		l.queue.Push(nothing{})
		l.waiters++
	}
	l.mu.Unlock()
	return err
}

// clutching gives the lock to one whose context has ended.
type clutching struct{ mutexes }

func (m *clutching) Lock(ctx context.Context, k int) error {
	err := m.mutexes.Lock(ctx, k)
	if err != nil && m.mutexes[k].word.Load() == locked {
		go m.mutexes.Lock(context.Background(), k)
	}
	return err
}

// strict looks at the context first.
type strict struct{ mutexes }

func (m *strict) Lock(ctx context.Context, k int) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return m.mutexes.Lock(ctx, k)
}

// lenient lets Unlock be called too often.
type lenient struct{ mutexes }

func (m *lenient) Unlock(k int) {
	if m.mutexes[k].word.Load() != free {
		m.mutexes.Unlock(k)
	}
}

// pushy lets TryLock take what is another's.
type pushy struct{ mutexes }

func (m *pushy) TryLock(k int) bool {
	return m.mutexes.TryLock(k) || m.mutexes[k].word.Load() == locked
}

// single has one lock for all keys.
type single struct{ mutexes }

func (m *single) Lock(ctx context.Context, _ int) error { return m.mutexes.Lock(ctx, 0) }
func (m *single) TryLock(int) bool                      { return m.mutexes.TryLock(0) }
func (m *single) Unlock(int)                            { m.mutexes.Unlock(0) }

// hoarding keeps the entry of a key that was waited for.
type hoarding struct{ Keyed[int] }

func (l *hoarding) Unlock(k int) {
	line := l.held[k]
	l.Keyed.Unlock(k)
	if line != nil && l.held[k] == nil {
		l.held[k+keys] = nil
	}
}

func TestPlantedBugsAreCaught(t *testing.T) {
	for name, made := range map[string]func() subject{
		"a newcomer passes the line":           func() subject { return new(barging) },
		"the lock comes free and nobody wakes": func() subject { return new(forgetful) },
		"a canceled waiter is handed the lock": func() subject { return new(leaky) },
		"a canceled waiter comes back":         func() subject { return new(clutching) },
		"an ended context gets no free lock":   func() subject { return new(strict) },
		"Unlock may be called too often":       func() subject { return new(lenient) },
		"TryLock takes what another holds":     func() subject { return new(pushy) },
		"one key locks all":                    func() subject { return new(single) },
		"the entry of a key stays":             func() subject { return new(hoarding) },
	} {
		t.Run(name, func(t *testing.T) {
			caught := false
			for seed := uint64(0); seed < 200 && !caught; seed++ {
				synctest.Test(t, func(t *testing.T) {
					sut := made()
					caught = check(random(seed, 300), sut) != nil
					for range 300 { // those whom the bug left behind, so that the bubble can end
						for k := range keys {
							unlock(sut, k)
						}
						synctest.Wait()
					}
				})
			}
			if !caught {
				t.Error("200 random runs do not show the bug")
			}
		})
	}
}
