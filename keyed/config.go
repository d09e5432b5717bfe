package keyed

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
)

const kind = "keyed"

// Why a map rejects a call.
var (
	// ErrFull: the key has no policy, and each of the Config.Max policies is in use or holds state that must not be lost.
	ErrFull = errors.New("keyed: full")
	// ErrNoGate: Acquire was asked of a key whose policy is no mettle.Gate.
	ErrNoGate = errors.New("keyed: policy is no gate")
)

// Config says how policies are made, and how many are kept for how long.
type Config[K comparable] struct {
	// Name tells the map in errors, events and descriptions. It may be empty.
	Name string
	// New makes the policy of a key. It is called without a lock, in the goroutine of whoever needs the policy, and must be safe for
	// concurrent use: goroutines that meet a new key at once may each call it, and all use the policy of one of them. It may be slow or
	// panic; it must not ask the same map for the same key. It must be set, and must not return nil.
	New func(key K) mettle.Policy
	// Max is how many keys have a policy at a time, at most. 0 means 10,000.
	Max int
	// Idle is how long a policy must have been without a call to be dropped though there is room. 0 means 10 min.
	Idle time.Duration
	// Observer is told of rejections by the map itself. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config[K]) Validate() error {
	switch {
	case c.New == nil:
		return fmt.Errorf("keyed: Config.New is nil, want a function")
	case c.Max < 0:
		return fmt.Errorf("keyed: Config.Max is %d, want 0 or more", c.Max)
	case c.Idle < 0:
		return fmt.Errorf("keyed: Config.Idle is %v, want 0 or more", c.Idle)
	}
	return nil
}

// withDefaults returns c with every field as it counts.
func (c Config[K]) withDefaults() Config[K] {
	c.Max = cmp.Or(c.Max, 10_000)
	c.Idle = cmp.Or(c.Idle, 10*time.Minute)
	return c
}

// make calls New.
func (c *Config[K]) make(key K) mettle.Policy {
	p := c.New(key)
	if p == nil {
		panic(fmt.Sprintf("keyed: Config.New returned nil for the key %v, want a mettle.Policy", key))
	}
	return p
}
