// Package stale serves the last good value when the source of a new one fails.
//
// # When to use it
//
// For reads where an old answer is better than none: a price list, a feature flag, a page. It stands around the call and its policies, one
// cache for each kind of value.
//
// # Not for
//
// Saving calls: the source is asked every time, and the cache is looked at only when it fails. Values that must be current, or that their
// user may change: all who are served one share it.
//
// # Example
//
//	var prices = stale.New[string, Price](stale.Config{Name: "prices", MaxAge: time.Hour})
//
//	v, err := prices.Do(ctx, "tea", func(ctx context.Context, id string) (Price, error) {
//		return mettle.Call(ctx, shop, func(ctx context.Context) (Price, error) { return api.Price(ctx, id) })
//	})
//	if v.Stale {
//		show(v.Value, "as of", v.Age)
//	}
//
// # Defaults
//
//	Keys    1,000
//	MaxAge  none: how old is too old is for the value's user to say
//
// # Errors
//
// When there is no value to serve, the source's error as it is.
//
// # Events
//
// mettle.FellBack, each time a stale value is served, with the source's error and the value's age as After.
//
// # Concurrency, cancellation, panics
//
// A Cache is safe for concurrent use. It runs the function in the caller's goroutine and holds no lock meanwhile; calls for one key do not
// wait for each other. A caller whose own context was canceled gets the error: nobody is there to serve. A panic passes through.
//
// # Cost
//
// A success stores the value under a lock, one allocation for a new key. The cache keeps up to Config.Keys values; the least recently stored
// or served goes first.
//
// # Mistakes
//
// Wrong: the cache inside of a retry or a breaker. A stale value is a success to them, and they never learn of the failure. Put it around them.
package stale

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

const kind = "stale"

// Config says which values are kept, and for how long.
type Config struct {
	// Name tells the cache in events and descriptions. It may be empty.
	Name string
	// MaxAge is how old a value may be to be served. It must be more than 0.
	MaxAge time.Duration
	// Keys is for how many keys a value is kept. 0 means 1,000.
	Keys int
	// If reports whether an error may be answered by a stale value. It must be safe for concurrent use. Nil means that every error may: a "not
	// found" then brings back what was deleted.
	If func(err error) bool
	// Observer is told of stale values that are served. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	if c.MaxAge <= 0 {
		return fmt.Errorf("stale: Config.MaxAge is %v, want more than 0", c.MaxAge)
	}
	if c.Keys < 0 {
		return fmt.Errorf("stale: Config.Keys is %d, want 0 or more", c.Keys)
	}
	return nil
}

// A Cache keeps the last good value for each key. Make it by New.
type Cache[K comparable, V any] struct {
	cfg Config

	mu      sync.Mutex
	entries map[K]*list.Element // of *entry[K, V]
	recent  list.List           // the most recently used in front
	served  uint64
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	stored clock.Instant
}

// A Value is what the source returned, or did return before.
type Value[V any] struct {
	Value V
	Stale bool          // the source failed, and this is its last good answer
	Age   time.Duration // if stale: since the source gave it
	Err   error         // if stale: how the source failed
}

// New returns an empty cache. It panics if Validate has an error.
func New[K comparable, V any](c Config) *Cache[K, V] {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	if c.Keys == 0 {
		c.Keys = 1000
	}
	return &Cache[K, V]{cfg: c, entries: make(map[K]*list.Element)}
}

// Do calls fn and returns its value, which it keeps for later. If fn fails and there is a value for key that is not too old, Do returns that one, marked
// as stale, and no error; otherwise fn's error and the zero Value. An older answer that comes late does not replace a newer one.
func (c *Cache[K, V]) Do(ctx context.Context, key K, fn func(context.Context, K) (V, error)) (Value[V], error) {
	asked := clock.Now()
	v, err := fn(ctx, key)
	if err == nil {
		c.store(key, v, asked)
		return Value[V]{Value: v}, nil
	}
	if errors.Is(ctx.Err(), context.Canceled) || c.cfg.If != nil && !c.cfg.If(err) {
		return Value[V]{}, err
	}
	old, age, ok := c.load(key, clock.Now())
	if !ok {
		return Value[V]{}, err
	}
	if c.cfg.Observer != nil {
		c.cfg.Observer(ctx, mettle.Event{Kind: mettle.FellBack, Policy: kind, Name: c.cfg.Name, Err: err, After: age})
	}
	return Value[V]{Value: old, Stale: true, Age: age, Err: err}, nil
}

// Forget drops the value for key, if there is one: it has been deleted, or changed, and must not come back.
func (c *Cache[K, V]) Forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[key]; el != nil {
		c.drop(el)
	}
}

// Describe tells the cache's name, how many keys it keeps and how many stale values it has served.
func (c *Cache[K, V]) Describe() mettle.Description {
	c.mu.Lock()
	defer c.mu.Unlock()
	return mettle.Description{Kind: kind, Name: c.cfg.Name, Limit: int64(c.cfg.Keys), Metrics: []mettle.Metric{
		{Name: "keys", Value: float64(len(c.entries))},
		{Name: "served", Value: float64(c.served)},
	}}
}

// store keeps v, for which the source was asked at that instant.
func (c *Cache[K, V]) store(key K, v V, asked clock.Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if el := c.entries[key]; el != nil {
		if e := el.Value.(*entry[K, V]); e.stored <= asked {
			e.value, e.stored = v, asked
		}
		c.recent.MoveToFront(el)
		return
	}
	c.entries[key] = c.recent.PushFront(&entry[K, V]{key, v, asked})
	if len(c.entries) > c.cfg.Keys {
		c.drop(c.recent.Back())
	}
}

// load returns the value for key if it is not too old, and its age. One that is too old is dropped.
func (c *Cache[K, V]) load(key K, now clock.Instant) (v V, age time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.entries[key]
	if el == nil {
		return v, 0, false
	}
	e := el.Value.(*entry[K, V])
	age = now.Sub(e.stored)
	if age > c.cfg.MaxAge {
		c.drop(el)
		return v, 0, false
	}
	c.recent.MoveToFront(el)
	c.served++
	return e.value, age, true
}

func (c *Cache[K, V]) drop(el *list.Element) {
	delete(c.entries, c.recent.Remove(el).(*entry[K, V]).key)
}
