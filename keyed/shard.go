package keyed

import (
	"sync"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/clock"
)

// A shard is a part of the map: a hash table with chains that is read without a lock.
//
// A reader may meet a chain that is being changed. Then it may miss an entry that is there, or find one that has just gone; it
// never ends up in a circle, since a link always leads to an entry that was in place before. So a miss must be confirmed by lookup, and
// what find returns may be dead.
type shard[K comparable] struct {
	table atomic.Pointer[[]bucket[K]] // a power of two

	mu   sync.Mutex
	all  []*entry[K]
	hand int // where in all the search for idle entries goes on
}

type bucket[K comparable] = atomic.Pointer[entry[K]]

func (s *shard[K]) init() {
	t := make([]bucket[K], 4)
	s.table.Store(&t)
}

// slot returns where the chain of a hash begins. Its low bits have chosen the shard.
func slot[K comparable](table []bucket[K], hash uint64) *bucket[K] {
	return &table[hash>>32&uint64(len(table)-1)]
}

// find returns the entry of k, or nil.
func (s *shard[K]) find(k K, hash uint64) *entry[K] {
	for e := slot(*s.table.Load(), hash).Load(); e != nil; e = e.next.Load() {
		if e.hash == hash && e.key == k {
			return e
		}
	}
	return nil
}

// lookup is find that is always right at the moment it looks.
func (s *shard[K]) lookup(k K, hash uint64) *entry[K] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(k, hash)
}

// add puts e into the shard and returns it, or returns the entry that the key has already, or nil if there are most entries.
func (s *shard[K]) add(e *entry[K], entries *atomic.Int64, most int64) *entry[K] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.find(e.key, e.hash); old != nil {
		return old
	}
	for n := entries.Load(); ; n = entries.Load() {
		if n >= most {
			return nil
		}
		if entries.CompareAndSwap(n, n+1) {
			break
		}
	}
	e.index = uint32(len(s.all))
	s.all = append(s.all, e)
	table := *s.table.Load()
	if len(s.all) > len(table) {
		s.grow(2 * len(table))
		return e
	}
	push(table, e)
	return e
}

func push[K comparable](table []bucket[K], e *entry[K]) {
	b := slot(table, e.hash)
	e.next.Store(b.Load())
	b.Store(e)
}

// grow chains all entries anew.
func (s *shard[K]) grow(size int) {
	table := make([]bucket[K], size)
	for _, e := range s.all {
		push(table, e)
	}
	s.table.Store(&table)
}

// kill takes e out of the shard, if its word is still the one on which that was decided.
func (s *shard[K]) kill(e *entry[K], word uint64, entries *atomic.Int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.word.CompareAndSwap(word, word|dead) {
		return false
	}
	link := slot(*s.table.Load(), e.hash)
	for link.Load() != e {
		link = &link.Load().next
	}
	link.Store(e.next.Load())
	last := len(s.all) - 1
	s.all[e.index] = s.all[last]
	s.all[e.index].index = e.index
	s.all[last] = nil
	s.all = s.all[:last]
	entries.Add(-1)
	return true
}

func (s *shard[K]) snapshot() []*entry[K] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*entry[K](nil), s.all...)
}

// A candidate is an entry that was out of use when its word was read.
type candidate[K comparable] struct {
	entry *entry[K]
	word  uint64
}

// idle looks at up to left entries, beginning where it stopped the last time, and appends those to found that had no call for
// at least age, until found is at its capacity. A call since the last look counts as one now. With anyAge it appends all that are out of use. It returns
// how many of the entries are left.
func (s *shard[K]) idle(found []candidate[K], now clock.Instant, age age, left int) ([]candidate[K], int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for left = min(left, len(s.all)); left > 0 && len(found) < cap(found); left-- {
		if s.hand >= len(s.all) {
			s.hand = 0
		}
		e := s.all[s.hand]
		s.hand++
		word := e.word.Load()
		if word&inside > 0 {
			continue // it has had a call since the last look, and will be stamped when that is over
		}
		if begun(word) != e.seen {
			e.seen, e.stamp = begun(word), now
			if age != anyAge {
				continue
			}
		}
		if age == anyAge || now.Sub(e.stamp) >= age {
			found = append(found, candidate[K]{e, word})
		}
	}
	return found, left
}
