package keyed

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/layer"
)

// An entry is a key and its policy, and what For returns. It stays good when it has been evicted: then it stands for the key.
type entry[K comparable] struct {
	// word has the calls that are under way in its lower 31 bits, then the bit dead, then how many were begun so far. The latter
	// may wrap around. It makes an eviction sure that nobody has used the policy since it was found to be fresh.
	word   atomic.Uint64
	policy mettle.Policy
	home   *Map[K]
	next   atomic.Pointer[entry[K]] // in the bucket
	hash   uint64
	key    K

	// Under the shard's lock.
	stamp clock.Instant // no call ended later, as far as is known; looked at from time to time
	seen  uint32        // calls begun when the stamp was set
	index uint32        // in shard.all
}

const (
	inside = dead - 1
	dead   = 1 << 31 // evicted, or never had a policy: nobody uses it any more
	call   = 1<<32 | 1
)

func begun(word uint64) uint32 { return uint32(word >> 32) }

// hold keeps e in its place, unless it is evicted.
func (e *entry[K]) hold() bool {
	word := e.word.Add(call)
	if word&dead != 0 {
		e.Unpin()
		return false
	}
	if begun(word)%16 == 0 {
		e.tend()
	}
	return true
}

// Unpin is how a mettle.Stack tells the end of a call.
func (e *entry[K]) Unpin() { e.word.Add(^uint64(0)) }

// Pin is how a mettle.Stack finds the policy of a call. Its types are internal to this module.
func (e *entry[K]) Pin(ctx context.Context, now clock.Instant) (layer.Policy, layer.Unpinner, clock.Instant, error) {
	e, now, err := e.pin(ctx, now)
	if err != nil {
		return nil, nil, now, err
	}
	return e.policy, e, now, nil
}

// pin returns the entry whose policy is to run the call, which the caller has to Unpin: e, or its successor if e is evicted.
func (e *entry[K]) pin(ctx context.Context, now clock.Instant) (*entry[K], clock.Instant, error) {
	if word := e.word.Add(call); word&dead == 0 {
		if begun(word)%16 == 0 {
			return e.tend(), clock.Unread, nil
		}
		return e, now, nil
	}
	e.Unpin()
	live := e.home.pin(e.key, e.hash)
	if live == nil {
		return nil, clock.Unread, e.home.reject(ctx, e.home.full)
	}
	return live, clock.Unread, nil
}

// tend looks after the map in one of many calls, so that no goroutine has to. It is e that is in use meanwhile.
func (e *entry[K]) tend() *entry[K] {
	tended := false
	defer func() {
		if !tended { // a policy's Fresh panicked
			e.Unpin()
		}
	}()
	e.home.sweep(clock.Now(), e.hash)
	tended = true
	return e
}

// Do runs fn under the policy of the key.
func (e *entry[K]) Do(ctx context.Context, fn func(context.Context) error) error {
	e, _, err := e.pin(ctx, clock.Unread)
	if err != nil {
		return err
	}
	defer e.Unpin()
	return e.policy.Do(ctx, fn)
}

// Fresh reports whether the policy of the key is as good as a new one, for a map of maps.
func (e *entry[K]) Fresh() bool {
	e = e.live()
	return e == nil || fresh(e.policy)
}

// live returns the entry that stands for the key now, or nil if the key has no policy.
func (e *entry[K]) live() *entry[K] {
	if e.word.Load()&dead == 0 {
		return e
	}
	return e.home.shard(e.hash).find(e.key, e.hash)
}

// String is how a stack with the policy of a key in it prints that. Describe would speak for the key's policy, which may change.
func (e *entry[K]) String() string {
	return strings.TrimSpace(kind+" "+e.home.cfg.Name) + fmt.Sprintf("[%v]", e.key)
}

// A lease is a permit of a key's policy that keeps the policy in its place.
type lease[K comparable] struct {
	entry  *entry[K]
	permit mettle.Permit
	given  bool
	done   atomic.Bool
}

// Release gives both back.
func (l *lease[K]) Release(_ context.Context, _ uint64, err error) {
	if l.done.Swap(true) {
		return
	}
	defer l.entry.Unpin()
	l.permit.Done(err)
}
