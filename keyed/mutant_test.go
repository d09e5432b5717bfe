package keyed

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle"
)

// ruthless makes room by the first entry, in use or not.
type ruthless struct{ *Map[int] }

func (m ruthless) For(k int) mettle.Policy {
	if s := m.shard(0); len(s.all) == m.cfg.Max && s.lookup(k, m.hash(k)) == nil {
		e := s.all[0]
		s.kill(e, e.word.Load(), &m.entries)
	}
	return m.Map.For(k)
}

// loyal returns handles that stay with the policy they were made with.
type loyal struct{ *Map[int] }

type loyalHandle struct{ *entry[int] }

func (m loyal) For(k int) mettle.Policy { return loyalHandle{m.Map.For(k).(*entry[int])} }

func (h loyalHandle) Do(ctx context.Context, fn func(context.Context) error) error {
	if h.policy == nil {
		return h.entry.Do(ctx, fn)
	}
	h.hold()
	defer h.Unpin()
	return h.policy.Do(ctx, fn)
}

// careless forgets the pin of a permit.
type careless struct{ *Map[int] }

func (m careless) Acquire(ctx context.Context, k int) (mettle.Permit, error) {
	e := m.pin(k, m.hash(k))
	if e == nil {
		return mettle.Permit{}, m.full
	}
	defer e.Unpin()
	return e.policy.(mettle.Gate).Acquire(ctx)
}

// hoarding never unpins.
type hoarding struct{ *Map[int] }

func (m hoarding) Acquire(ctx context.Context, k int) (mettle.Permit, error) {
	p, err := m.Map.Acquire(ctx, k)
	if err == nil {
		m.shard(m.hash(k)).find(k, m.hash(k)).hold()
	}
	return p, err
}

// blind does not ask policies whether they remember something.
type blind struct{ *Map[int] }

func (m blind) For(k int) mettle.Policy {
	s := m.shard(0)
	if len(s.all) == m.cfg.Max && s.lookup(k, m.hash(k)) == nil {
		for _, e := range s.all {
			if w := e.word.Load(); w&inside == 0 {
				s.kill(e, w, &m.entries)
				break
			}
		}
	}
	return m.Map.For(k)
}

func TestPlantedBugsAreCaught(t *testing.T) {
	for name, with := range map[string]func(Config[int]) subject{
		"evicts one in use":                   func(c Config[int]) subject { return ruthless{New(c)} },
		"evicts one that remembers something": func(c Config[int]) subject { return blind{New(c)} },
		"a handle keeps an evicted policy":    func(c Config[int]) subject { return loyal{New(c)} },
		"a permit does not keep its policy":   func(c Config[int]) subject { return careless{New(c)} },
		"a permit keeps its policy for ever":  func(c Config[int]) subject { return hoarding{New(c)} },
		"exceeds Max": func(c Config[int]) subject {
			c.Max++
			return New(c)
		},
		"does not use all of Max": func(c Config[int]) subject {
			m := New(c)
			m.cfg.Max = max(1, c.Max-1)
			return m
		},
		"drops idle ones too early": func(c Config[int]) subject {
			c.Idle /= 2
			return New(c)
		},
		"never drops idle ones": func(c Config[int]) subject {
			c.Idle *= 1000
			return New(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			caught := false
			for seed := uint64(0); seed < 100 && !caught; seed++ {
				synctest.Test(t, func(t *testing.T) { caught = check(random(seed, 1000), with) != nil })
			}
			if !caught {
				t.Error("100 random runs do not show the bug")
			}
		})
	}
}
