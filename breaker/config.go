package breaker

import (
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// Config says when a breaker opens and how it recovers. The zero Config is safe for production.
type Config struct {
	// Name tells the dependency in errors, events and descriptions. It may be empty.
	Name string
	// Trip decides when to open. The zero Trip means Shift(0.1, 0.5, 12).
	Trip Trip
	// Cooldown is how long the breaker stays open the first time, and how long probes may keep their places.
	// 0 means 5 s.
	Cooldown time.Duration
	// MaxCooldown is the longest cooldown to which failed recoveries raise it. 0 means 60 s, or Cooldown if
	// that is longer. Set it to Cooldown for a cooldown that is always the same.
	MaxCooldown time.Duration
	// Probes is how many calls run at a time in half-open. 0 means 1.
	Probes int
	// Successes is how many probes have to succeed to close the breaker. 0 means 3.
	Successes int
	// Classify gives the verdict on an error that fn returned. It must be safe for concurrent use. Nil means
	// that every error is a mettle.Failure. See mettle.Judge for what is decided before Classify is asked.
	Classify func(error) mettle.Verdict
	// Observer is told of state changes and rejections. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	if err := c.Trip.validate(); err != nil {
		return err
	}
	switch {
	case c.Cooldown < 0:
		return fmt.Errorf("breaker: Config.Cooldown is %v, want 0 or more", c.Cooldown)
	case c.MaxCooldown < 0:
		return fmt.Errorf("breaker: Config.MaxCooldown is %v, want 0 or more", c.MaxCooldown)
	case c.MaxCooldown > 0 && c.MaxCooldown < c.cooldown():
		return fmt.Errorf("breaker: Config.MaxCooldown is %v, want Cooldown, which is %v, or more", c.MaxCooldown, c.cooldown())
	}
	if err := validateCount("Probes", c.Probes); err != nil {
		return err
	}
	return validateCount("Successes", c.Successes)
}

func validateCount(field string, n int) error {
	if n < 0 || n > core.MaxCount {
		return fmt.Errorf("breaker: Config.%s is %d, want 0 to %d", field, n, core.MaxCount)
	}
	return nil
}

func (c Config) cooldown() time.Duration { return or(c.Cooldown, 5*time.Second) }

func (c Config) machine() core.Machine {
	m := core.Machine{
		Trip:        c.Trip.sum(),
		Cooldown:    c.cooldown(),
		MaxCooldown: or(c.MaxCooldown, max(60*time.Second, c.cooldown())),
		Probes:      or(c.Probes, 1),
		Successes:   or(c.Successes, 3),
	}
	if c.Trip.kind == rate {
		m.Rate = c.Trip.window.rate()
	}
	return m
}

// or returns v, or what its zero means.
func or[T comparable](v, zero T) T {
	if v == *new(T) {
		return zero
	}
	return v
}
