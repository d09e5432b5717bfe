package ratelimit

import (
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	core "github.com/mettle-go/mettle/internal/core/ratelimit"
)

// Config says how many calls go through in which time.
type Config struct {
	// Name tells the resource in errors, events and descriptions. It may be empty.
	Name string
	// Rate is how many calls go through in each Per. It must be 1 or more, at most one a nanosecond and, with Strict, 1<<20.
	Rate int
	// Per is the time that Rate is about. 0 means 1 s.
	Per time.Duration
	// Burst is how many calls may come at once after a pause. It must be 1 or more, and 1 spaces calls evenly. With Strict it must be 0: there Rate
	// calls may come at once.
	Burst int
	// MaxWait is how long Acquire and Do wait at most. 0 means that nobody waits.
	MaxWait time.Duration
	// Strict admits never more than Rate calls in any window of length Per, where otherwise Burst calls more may fall into one. It takes a lock and up
	// to 64 bytes of memory for each unit of Rate.
	Strict bool
	// Observer is told of rejections. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	if what, want := (bounds{c.Rate, orSecond(c.Per), c.Burst, c.Strict}).flaw(); what != "" {
		return fmt.Errorf("ratelimit: Config.%s, want %s", what, want)
	}
	if c.MaxWait < 0 {
		return fmt.Errorf("ratelimit: Config.MaxWait is %v, want 0 or more", c.MaxWait)
	}
	return nil
}

func orSecond(per time.Duration) time.Duration {
	if per == 0 {
		return time.Second
	}
	return per
}

// bounds are the numbers that a limiter keeps to.
type bounds struct {
	rate   int
	per    time.Duration
	burst  int
	strict bool
}

// flaw returns what is wrong with b, and what it should be.
func (b bounds) flaw() (what, want string) {
	switch {
	case b.rate < 1:
		return fmt.Sprintf("Rate is %d", b.rate), "1 or more"
	case b.per < 0:
		return fmt.Sprintf("Per is %v", b.per), "0 or more"
	case int64(b.rate) > int64(b.per):
		return fmt.Sprintf("Rate is %d", b.rate), fmt.Sprintf("%d or less, one for each nanosecond of Per", b.per)
	case b.strict && b.rate > core.MaxLog:
		return fmt.Sprintf("Rate is %d", b.rate), fmt.Sprintf("%d or less with Strict", core.MaxLog)
	case b.strict && b.burst != 0:
		return fmt.Sprintf("Burst is %d", b.burst), "0 with Strict"
	case b.strict:
		return "", ""
	case b.burst < 1:
		return fmt.Sprintf("Burst is %d", b.burst), "1 or more"
	}
	if most := core.MaxSpan / core.Interval(int64(b.rate), int64(b.per)); int64(b.burst) > most {
		return fmt.Sprintf("Burst is %d", b.burst), fmt.Sprintf("%d or less, which is 146 years of calls", most)
	}
	return "", ""
}

// most returns how many calls can come at once.
func (b bounds) most() int {
	if b.strict {
		return b.rate
	}
	return b.burst
}

func (b bounds) pace() core.Pace {
	if b.strict {
		return core.NewPace(1, 1) // never looked at
	}
	return core.NewPace(core.Interval(int64(b.rate), int64(b.per)), int64(b.burst))
}
