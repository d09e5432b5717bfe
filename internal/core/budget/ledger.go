// Package budget is the arithmetic of a token budget over a sliding window, without a clock and without a lock.
//
// Tokens come from two sources: calls earn a fraction of a token each, and a floor accrues with time. Both kinds expire
// when they are one window old. Amounts are integers, millionths of a token, so that nothing is lost or made by rounding.
//
// The window is cut into sixteen slots. Earned tokens expire a slot at a time and never late, so they last between fifteen
// sixteenths of the window and the whole of it. The floor needs no slots: tokens that accrue evenly, are spent oldest first and expire
// after a window are the same as a level that stops rising when a window's worth is in.
package budget

import (
	"math"
	"math/bits"
)

const (
	// Token is one token in the units of a Ledger.
	Token = 1_000_000

	slots  = 16
	second = 1_000_000_000
)

// A Ledger keeps the account. It is not safe for concurrent use. Make it by New.
//
// It counts time in its own way, from 0 and only forward, by adding up differences between the instants that it hears of. A clock that goes
// back a little stands still; one that goes back by a window or more, as between two test bubbles, goes on from there.
type Ledger struct {
	ratio, rate int64 // units a call earns; units of floor a second
	ttl, width  int64 // nanoseconds: the window, a slot of it
	full        int64 // the highest level

	begun bool
	at    int64 // the latest instant heard of, in the caller's time
	v     int64 // the same moment in the ledger's own

	slot   int64        // the number of the current slot
	next   int64        // when it ends, in the ledger's time
	earned [slots]int64 // not withdrawn yet, by slot number modulo slots
	total  int64        // the sum of earned
	level  int64        // of the floor
	rest   int64        // what the floor has accrued beyond level, in units times nanoseconds a second
}

// A Withdrawal tells which tokens were taken, so that they can be given back where they came from.
type Withdrawal struct {
	at     int64 // in the ledger's time
	floor  int64 // units taken from the floor
	spare  int64 // what was missing to a full floor before
	earned int64 // units taken from slots
	slot   int64 // the oldest slot that was taken from
}

// New returns a ledger in which a call earns ratio units and a second adds rate units of floor, each for ttl nanoseconds. It starts with
// the floor of one ttl. The product of rate and ttl must be below 2^63 · 10^9, ratio and rate not negative, and ttl 16 or more.
func New(ratio, rate, ttl int64) Ledger {
	full, _ := accrued(rate, ttl, 0)
	width := ttl / slots
	return Ledger{ratio: ratio, rate: rate, ttl: ttl, width: width, next: width, full: full, level: full}
}

// accrued returns how many units rate adds in d nanoseconds on top of rest, and the new rest.
func accrued(rate, d, rest int64) (units, left int64) {
	hi, lo := bits.Mul64(uint64(rate), uint64(d))
	lo, carry := bits.Add64(lo, uint64(rest), 0)
	q, r := bits.Div64(hi+carry, lo, second)
	return int64(q), int64(r)
}

// Advance hears that it is now and lets expire what is too old. It reports whether Until has changed.
func (l *Ledger) Advance(now int64) (moved bool) {
	switch {
	case !l.begun:
		l.begun, l.at = true, now
		return true
	case now <= l.at:
		if uint64(l.at)-uint64(now) < uint64(l.ttl) {
			return false
		}
		l.at = now
		return true
	}
	d := l.ttl
	if passed := uint64(now) - uint64(l.at); passed < uint64(l.ttl) {
		d = int64(passed)
	}
	l.at = now
	l.v += d
	if l.level < l.full {
		units, rest := accrued(l.rate, d, l.rest)
		if l.level, l.rest = l.level+units, rest; l.level >= l.full {
			l.level, l.rest = l.full, 0
		}
	}
	for l.v >= l.next { // seventeen times at most, since d is at most a ttl
		l.slot++
		l.next += l.width
		l.total -= l.earned[l.slot%slots]
		l.earned[l.slot%slots] = 0
		moved = true
	}
	return moved
}

// Until returns the first instant of the next slot.
func (l *Ledger) Until() int64 {
	left := l.next - l.v
	if l.at > math.MaxInt64-left {
		return math.MaxInt64
	}
	return l.at + left
}

// At returns the latest instant heard of.
func (l *Ledger) At() int64 { return l.at }

// Earn credits calls to the current slot.
func (l *Ledger) Earn(calls int64) {
	hi, lo := bits.Mul64(uint64(calls), uint64(l.ratio))
	if hi != 0 || lo > math.MaxInt64 {
		lo = math.MaxInt64
	}
	l.credit(l.slot, int64(lo))
}

func (l *Ledger) credit(slot, units int64) {
	units = min(units, math.MaxInt64-l.total)
	l.earned[slot%slots] += units
	l.total += units
}

// Available returns how many units could be withdrawn.
func (l *Ledger) Available() int64 { return sum(l.level, l.total) }

// Withdraw takes units, or refuses and takes none. The floor goes first, for it comes again by itself; then the oldest.
func (l *Ledger) Withdraw(units int64) (Withdrawal, bool) {
	if l.Available() < units {
		return Withdrawal{}, false
	}
	w := Withdrawal{at: l.v, spare: l.full - l.level, slot: l.slot}
	w.floor = min(units, l.level)
	l.level -= w.floor
	w.earned = units - w.floor
	l.total -= w.earned
	need := w.earned
	for i := l.slot + 1; need > 0; i++ { // the next slot has the place of the oldest
		e := &l.earned[i%slots]
		if *e == 0 {
			continue
		}
		if need == w.earned {
			w.slot = i - slots
		}
		taken := min(need, *e)
		*e -= taken
		need -= taken
	}
	return w, true
}

// Return gives back what w took, as far as it has not expired meanwhile. Where w took tokens of different age, all count as of the
// oldest, so that a token never lasts longer than if it had stayed. Call it once for each withdrawal at most.
func (l *Ledger) Return(w Withdrawal) {
	if l.slot-w.slot < slots {
		l.credit(w.slot+slots, w.earned) // the same place; the slots before the first have negative numbers
	}
	if l.v-w.at < l.ttl {
		// Had w's tokens stayed in, the level would have risen past full by as much as time added beyond the spare room.
		units, _ := accrued(l.rate, l.v-w.at, second-1)
		l.level = min(l.full, l.level+max(0, w.floor-max(0, units-w.spare)))
	}
}

// sum returns a+b, at most MaxInt64; neither is negative.
func sum(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
