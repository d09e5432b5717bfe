package keyed

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

// age is for how long an entry must have been without a call.
type age = time.Duration

// anyAge also takes entries that had a call since the last look.
const anyAge age = -1

// room reports whether there is room for an entry with that hash, or has been for a moment: it evicts one if need be.
func (m *Map[K]) room(hash uint64) bool {
	return m.entries.Load() < int64(m.cfg.Max) || m.evict(hash)
}

// evict makes room. It gives each entry that had a call since the last look a second chance, and takes the next best if there is
// no other. It spares the entry with that hash, for which the room is meant: somebody else may just have made it.
//
// A search of the whole map that finds nothing costs more than a call should. For some time after it, one that is turned away
// only looks at one shard, at another one each time.
func (m *Map[K]) evict(hash uint64) bool {
	now := clock.Now()
	first, shards := m.hand.Add(1), len(m.shards)
	barren := soon(&m.barren, now, m.pause())
	if barren {
		shards = 1
	}
	for _, a := range [...]age{0, anyAge} {
		for i := range uint64(shards) {
			if m.reclaim(m.shard(first+i), now, a, 1, hash) > 0 || m.entries.Load() < int64(m.cfg.Max) {
				return true
			}
		}
	}
	if !barren {
		m.barren.Store(int64(now.Add(m.pause())))
	}
	return false
}

// soon reports whether now is before the instant, and by no more than the most that it was ever set ahead: else the clock went back.
func soon(at *atomic.Int64, now clock.Instant, most time.Duration) bool {
	left := clock.Instant(at.Load()).Sub(now)
	return left > 0 && left <= most
}

// pause is so long that searches in vain take no more than a few hundredths of one processor's time.
func (m *Map[K]) pause() time.Duration {
	return time.Duration(min(m.cfg.Max, 10_000_000)) * time.Microsecond
}

// sweep evicts what has been idle for long, in one shard of all, if it is time. It is called on behalf of the entry with that hash.
func (m *Map[K]) sweep(now clock.Instant, hash uint64) {
	at := m.sweepAt.Load()
	if soon(&m.sweepAt, now, m.pace()) || !m.sweepAt.CompareAndSwap(at, int64(now.Add(m.pace()))) {
		return
	}
	m.reclaim(m.shard(m.broom.Add(1)), now, m.cfg.Idle, math.MaxInt, hash)
}

// pace is the time between two sweeps, each of another shard: all have had theirs in an eighth of Config.Idle.
func (m *Map[K]) pace() time.Duration { return m.cfg.Idle / time.Duration(8*len(m.shards)) }

// reclaim evicts up to most entries of s that had no call for at least a, are out of use and fresh, but not the one with that hash. It returns how
// many. It asks policies without a lock; whoever uses one meanwhile keeps it.
func (m *Map[K]) reclaim(s *shard[K], now clock.Instant, a age, most int, but uint64) (evicted int) {
	var batch [16]candidate[K]
	for left := math.MaxInt; left > 0; {
		var found []candidate[K]
		found, left = s.idle(batch[:0:min(most, len(batch))], now, a, left)
		for _, c := range found {
			if c.entry.hash != but && fresh(c.entry.policy) && s.kill(c.entry, c.word, &m.entries) {
				m.evicted.Add(1)
				evicted++
			}
		}
		if evicted >= most {
			break
		}
	}
	return evicted
}

// fresh reports whether p is as good as a new one. A policy that tells neither this nor a state has none.
func fresh(p mettle.Policy) bool {
	switch p := p.(type) {
	case interface{ Fresh() bool }:
		return p.Fresh()
	case interface{ Policies() []mettle.Policy }:
		for _, inner := range p.Policies() {
			if !fresh(inner) {
				return false
			}
		}
	case mettle.Describer:
		state := p.Describe().State
		return state == "" || state == "closed"
	}
	return true
}
