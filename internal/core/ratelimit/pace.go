// Package ratelimit holds the state machines of a rate limiter: Pace and Line, which space calls out by the generic cell
// rate algorithm, and Log, which looks back at the last calls.
//
// Instants are nanoseconds on any one clock, of any sign. Nothing here reads a clock, takes a lock or waits.
package ratelimit

import (
	"math"
	"math/bits"
)

const (
	// Unset is the TAT of a line in which nobody stood yet.
	Unset = math.MinInt64
	// Held is no TAT: it is what an owner who keeps the TAT in a word puts there while the word does not tell all.
	Held = math.MaxInt64
	// MaxSpan is the longest time that a full burst may stand for, 146 years. It keeps sums within an int64.
	MaxSpan = 1 << 62
)

// A Pace is how fast calls may follow each other: the parameters of ITU-T I.371's virtual scheduling algorithm.
//
// A call occupies an interval of the time line, its slot, next to that of the call before, and may begin at most Burst-1
// intervals before its slot does. The theoretical arrival time (TAT) is where the last slot ends.
type Pace struct {
	Interval int64 // nanoseconds a call, 1 or more
	Burst    int64 // calls at once, 1 or more; Interval*Burst is MaxSpan at most

	slack uint64 // how long a single call may begin before its slot
	last  int64  // the last instant at which a slot of one call may begin
}

// NewPace returns a valid Pace.
func NewPace(interval, burst int64) Pace {
	return Pace{Interval: interval, Burst: burst, slack: uint64((burst - 1) * interval), last: Held - 1 - interval}
}

// Interval returns the time between calls when rate of them are allowed in per nanoseconds, rounded up, so that the rate is never
// exceeded.
func Interval(rate, per int64) int64 { return (per-1)/rate + 1 }

// Pass lets one call through now, without a wait, and returns the TAT after it. It never does if tat is Held.
func (p *Pace) Pass(tat, now int64) (next int64, ok bool) {
	start := max(tat, now)
	if uint64(start)-uint64(now) > p.slack || start > p.last {
		return 0, false
	}
	return start + p.Interval, true
}

// Early reports whether one call would have to wait at now, and could begin some day. It is false if tat is Held.
func (p *Pace) Early(tat, now int64) bool {
	return now < tat && tat <= p.last && uint64(tat)-uint64(now) > p.slack
}

// Wait tells where the slot of n calls at once would begin, 1 to Burst of them, if the one before ends at tat, and how long after now
// the calls may begin. It is not ok where the slot would end after the end of time.
func (p *Pace) Wait(tat, now, n int64) (start, wait int64, ok bool) {
	start = max(tat, now)
	if start > Held-1-n*p.Interval {
		return 0, math.MaxInt64, false
	}
	ahead, slack := uint64(start)-uint64(now), uint64((p.Burst-n)*p.Interval)
	if ahead <= slack {
		return start, 0, true
	}
	return start, int64(min(ahead-slack, math.MaxInt64)), true
}

// Shift tells where an instant of the time line comes to lie when at the instant at the pace changes from one to another: what was to come
// within so many intervals still does. Slots that did not overlap do not overlap then, and those that had not begun have the new interval's
// length exactly.
func Shift(instant, at int64, from, to *Pace) int64 {
	if instant <= at {
		return instant
	}
	hi, lo := bits.Mul64(uint64(instant)-uint64(at), uint64(to.Interval))
	lo, carry := bits.Add64(lo, uint64(from.Interval)-1, 0) // rounded up
	if hi += carry; hi >= uint64(from.Interval) {
		return Held - 1
	}
	ahead, _ := bits.Div64(hi, lo, uint64(from.Interval))
	if ahead >= uint64(Held-1)-uint64(at) {
		return Held - 1
	}
	return int64(uint64(at) + ahead)
}
