package keyed

import (
	"context"
	"hash/maphash"
	"iter"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

// A Map keeps one policy for each key. It is safe for concurrent use and must not be copied. Make it by New.
type Map[K comparable] struct {
	cfg    Config[K]
	seed   maphash.Seed
	shards []shard[K] // a power of two

	entries atomic.Int64  // in all shards; never more than Config.Max
	hand    atomic.Uint64 // the shard that was last searched for an entry to evict
	broom   atomic.Uint64 // the shard that was last swept
	sweepAt atomic.Int64  // when the next shard is to be swept
	barren  atomic.Int64  // until then it is no use to search all shards

	created, evicted, rejections atomic.Uint64

	full, noGate *mettle.RejectedError // shared by all that are turned away
}

// perShard is how many entries a shard holds in a map that is full. Who needs room, and who sweeps, does it shard by shard.
const perShard = 64

// New returns an empty map. It panics if Validate has an error.
func New[K comparable](c Config[K]) *Map[K] {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	c = c.withDefaults()
	m := &Map[K]{
		cfg:    c,
		seed:   maphash.MakeSeed(),
		shards: make([]shard[K], 1<<bits.Len(uint(min((c.Max-1)/perShard, 1<<12-1)))),
		full:   mettle.Reject(kind, c.Name, ErrFull, nil),
		noGate: mettle.Reject(kind, c.Name, ErrNoGate, nil),
	}
	for i := range m.shards {
		m.shards[i].init()
	}
	now := clock.Now()
	m.sweepAt.Store(int64(now.Add(m.pace())))
	m.barren.Store(int64(now))
	return m
}

// For returns the policy of the key k, which it makes if there is none: the same for all who ask, as long as it is kept.
//
// What it returns stands for the key and may be kept: each Do finds the policy that the key has by then, and keeps it in place
// until fn has returned. If the key has none and the map is full, each Do tries to make room for it, and rejects the call with ErrFull if there
// is none. For does not allocate if the key has a policy. It panics as Config.New does.
func (m *Map[K]) For(k K) mettle.Policy {
	hash := m.hash(k)
	if e := m.shard(hash).find(k, hash); e != nil {
		return e
	}
	if e := m.make(k, hash); e != nil {
		return e
	}
	e := &entry[K]{home: m, key: k, hash: hash}
	e.word.Store(dead)
	return e
}

// Acquire is the two-step form of Do, for keys whose policies are gates: it gets a permit of the key's policy, which stays in place
// until the permit's Done, and allocates once. It returns a *mettle.RejectedError: the policy's own, or one with ErrFull, or with ErrNoGate if the
// policy is no mettle.Gate. A second Done of one permit does nothing.
func (m *Map[K]) Acquire(ctx context.Context, k K) (mettle.Permit, error) {
	hash := m.hash(k)
	e := m.pin(k, hash)
	if e == nil {
		return mettle.Permit{}, m.reject(ctx, m.full)
	}
	l := &lease[K]{entry: e}
	defer func() {
		if !l.given {
			e.Unpin()
		}
	}()
	gate, ok := e.policy.(mettle.Gate)
	if !ok {
		return mettle.Permit{}, m.reject(ctx, m.noGate)
	}
	permit, err := gate.Acquire(ctx)
	if err != nil {
		return mettle.Permit{}, err
	}
	l.permit, l.given = permit, true
	return mettle.NewPermit(ctx, l, 0), nil
}

// Len returns how many keys have a policy.
func (m *Map[K]) Len() int { return int(m.entries.Load()) }

// All returns the keys and their policies as Config.New made them, in no particular order, for pages and metrics. A key that comes or goes
// meanwhile may or may not be among them; none is there twice. No lock is held while the caller looks at them. They are to
// be looked at: calls go through For, which keeps a policy in place while it is in use.
func (m *Map[K]) All() iter.Seq2[K, mettle.Policy] {
	return func(yield func(K, mettle.Policy) bool) {
		for i := range m.shards {
			for _, e := range m.shards[i].snapshot() {
				if !yield(e.key, e.policy) {
					return
				}
			}
		}
	}
}

// Describe tells the map's name, its Max as the limit, how many keys have a policy, how many were made and evicted, and how
// many calls the map itself rejected.
func (m *Map[K]) Describe() mettle.Description {
	return mettle.Description{Kind: kind, Name: m.cfg.Name, Limit: int64(m.cfg.Max), Metrics: []mettle.Metric{
		{Name: "keys", Value: float64(m.entries.Load())},
		{Name: "created", Value: float64(m.created.Load())},
		{Name: "evicted", Value: float64(m.evicted.Load())},
		{Name: "rejections", Value: float64(m.rejections.Load())},
	}}
}

func (m *Map[K]) hash(k K) uint64 { return maphash.Comparable(m.seed, k) }

func (m *Map[K]) shard(hash uint64) *shard[K] { return &m.shards[hash&uint64(len(m.shards)-1)] }

// pin returns the entry of k, in use from now on, or nil if there is no room for one.
func (m *Map[K]) pin(k K, hash uint64) *entry[K] {
	for {
		e := m.shard(hash).find(k, hash)
		if e == nil || !e.hold() {
			e = m.make(k, hash)
			if e == nil {
				return nil
			}
			if !e.hold() {
				continue // evicted between the two
			}
		}
		return e
	}
}

// make returns the entry of k, a new one if need be, or nil if there is no room for it.
func (m *Map[K]) make(k K, hash uint64) *entry[K] {
	s := m.shard(hash)
	// A miss without the lock may be wrong; and an entry that is being evicted is out of the shard once the lock is free.
	if e := s.lookup(k, hash); e != nil {
		return e
	}
	m.sweep(clock.Now(), hash)
	if !m.room(hash) {
		return s.lookup(k, hash) // somebody may have made it, and in the last place
	}
	e := &entry[K]{home: m, key: k, hash: hash, policy: m.cfg.make(k)}
	e.stamp, e.seen = clock.Now(), math.MaxUint32 // as if it had had a call since
	for {
		if in := s.add(e, &m.entries, int64(m.cfg.Max)); in != nil {
			if in == e {
				m.created.Add(1)
			}
			return in
		}
		if !m.room(hash) {
			return s.lookup(k, hash)
		}
	}
}

func (m *Map[K]) reject(ctx context.Context, err *mettle.RejectedError) error {
	m.rejections.Add(1)
	if m.cfg.Observer != nil {
		m.cfg.Observer(ctx, mettle.Event{Kind: mettle.Rejected, Policy: kind, Name: m.cfg.Name, Err: err})
	}
	return err
}
