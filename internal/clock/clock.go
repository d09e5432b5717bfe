// Package clock is the one place where mettle reads the time.
//
// An Instant counts nanoseconds from the start of the process, so that reading it costs one
// monotonic clock read, half the price of time.Now. Inside a testing/synctest bubble, where the
// clock stands in the year 2000, instants are hugely negative and start again in every bubble: no
// code may take zero, or any sign, to mean "long ago" or "not set".
package clock

import (
	"math"
	"time"
)

// An Instant is a moment in nanoseconds since the process began.
type Instant int64

// Unread is the Instant of a clock that nobody has read yet. Layers pass it on, and whoever needs
// the time reads the clock by OrNow, so that a call whose policies need no time reads no clock.
const Unread Instant = math.MinInt64

var base = time.Now()

// Now reads the clock.
func Now() Instant { return Instant(time.Since(base)) }

// OrNow returns t, or reads the clock if nobody has yet.
func (t Instant) OrNow() Instant {
	if t == Unread {
		return Now()
	}
	return t
}

// Add returns t+d, saturating at the ends of the range; it never returns Unread.
func (t Instant) Add(d time.Duration) Instant {
	sum := t + Instant(d)
	switch {
	case d > 0 && sum < t:
		return math.MaxInt64
	case d < 0 && (sum > t || sum == Unread):
		return Unread + 1
	}
	return sum
}

// Sub returns t-u, saturating; a clock that went back counts as no time passed.
func (t Instant) Sub(u Instant) time.Duration {
	switch d := t - u; {
	case t <= u:
		return 0
	case d < 0:
		return math.MaxInt64
	default:
		return time.Duration(d)
	}
}

// Time returns t as a time.Time that carries a monotonic reading, exact to the nanosecond, also in
// bubbles.
func (t Instant) Time() time.Time { return base.Add(time.Duration(t)) }
