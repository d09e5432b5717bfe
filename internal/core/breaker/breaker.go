// Package breaker decides when a circuit breaker opens, probes and closes: a pure state machine.
//
// It comes in two forms made of the same functions. Enter, Leave, Turn and Next decide on one period and its word,
// for package breaker, which applies what they say by compare-and-swap. Admit, Settle and Set do the same to a
// State that belongs to one goroutine, for owners that keep many breakers in a loop or run in virtual time.
package breaker

import (
	"math"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

// A Phase is one of a breaker's states.
type Phase uint8

const (
	Closed   Phase = iota // everybody is admitted, results are watched
	Open                  // nobody is admitted until the cooldown is over
	HalfOpen              // a few probes are admitted, and decide

	// The phases below begin and end only by Turn.

	ForcedOpen // nobody is admitted
	Disabled   // everybody is admitted, nobody watches
	Observing  // everybody is admitted, results are watched, and a trip only begins the next such period
)

// Admits reports whether everybody is admitted.
func (p Phase) Admits() bool { return p == Closed || p == Disabled || p == Observing }

// Watches reports whether results are given to a detector.
func (p Phase) Watches() bool { return p == Closed || p == Observing }

// String returns the phase as it is named in events and descriptions.
func (p Phase) String() string {
	switch p {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	case ForcedOpen:
		return "forced-open"
	case Disabled:
		return "disabled"
	default:
		return "observe-only"
	}
}

// A Machine is a breaker's configuration, valid and with its defaults filled in. It is immutable and may
// serve any number of breakers.
type Machine struct {
	Trip        Trip          // if zero: Rate decides, or the owner by Result.Trips
	Rate        *Rate         // may be nil
	Cooldown    time.Duration // of the first open period after a closed one, more than 0
	MaxCooldown time.Duration // to which it grows, Cooldown or more
	Probes      int           // at a time in half-open, 1 to MaxCount
	Successes   int           // in half-open that close it, 1 to MaxCount
}

// An Epoch is the immutable part of one period in one phase. All that changes within a period is one word, which
// begins at 0 but in half-open periods, and holds the detector's sum (closed, observing) or a count of probes
// (half-open); and, where Machine.Rate is set, a Window.
type Epoch struct {
	// Generation numbers the periods from 1. It is the token of every call admitted in this one, so
	// that a result that comes after the period has ended can be told and dropped.
	Generation uint64
	Phase      Phase
	Since      int64
	// Until is, for an open period, when probes are admitted; for a forced one the end of time. In others it means
	// nothing.
	Until int64
	// Level is the cooldown without jitter to which failed recoveries have raised it.
	Level time.Duration
}

// First returns the closed period that a breaker made at now begins with.
func (m *Machine) First(now int64) Epoch {
	return Epoch{Generation: 1, Phase: Closed, Since: now, Until: now, Level: m.Cooldown}
}

// A Step is a decision on the word of a period.
type Step struct {
	Admit bool // of Enter: the caller may run, with the generation of the resulting period as its token
	Move  bool // the period ends and Next makes the following one
	To    Phase
	// Word is the word after the step: the following period's first one if there is a move.
	Word uint64
}

// Enter decides on a caller who comes at now and finds word.
func (m *Machine) Enter(e *Epoch, word uint64, now int64) Step {
	switch e.Phase {
	case Closed, Disabled, Observing:
		return Step{Admit: true, Word: word}
	case ForcedOpen:
		return Step{Word: word}
	case Open:
		if now < e.Until {
			return Step{Word: word}
		}
		return Step{Admit: true, Move: true, To: HalfOpen, Word: round{running: 1}.word()}
	default:
		r := roundOf(word)
		switch {
		case r.running < uint64(m.Probes):
			return Step{Admit: true, Word: r.admit(e, now).word()}
		case now < e.Again(word):
			return Step{Word: word}
		}
		// The probes are overdue, all of them and perhaps for good. In a new period their places are free and their results,
		// should they come, too late; what the others achieved stays.
		return Step{Admit: true, Move: true, To: HalfOpen, Word: round{running: 1, succeeded: r.succeeded}.word()}
	}
}

// A Result is how a call ended.
type Result struct {
	Verdict mettle.Verdict
	// Slow says that the call took longer than it may. An ignored call never counts as slow.
	Slow bool
	// Trips is what a detector that is not in the word made of the result: a Window or one of the owner.
	Trips bool
}

// Leave decides on the result of a call admitted in this period.
func (m *Machine) Leave(e *Epoch, word uint64, r Result) Step {
	switch e.Phase {
	case Closed, Observing:
		sum, trips := m.watch(word, r)
		switch {
		case !trips:
			return Step{Word: sum}
		case e.Phase == Observing:
			return Step{Move: true, To: Observing}
		}
		return Step{Move: true, To: Open}
	case HalfOpen:
		if r.Verdict == mettle.Failure || r.Verdict == mettle.Success && r.Slow {
			return Step{Move: true, To: Open}
		}
		probes := roundOf(word)
		if probes.running > 0 { // else somebody gave a permit back twice: at least the count stays whole
			probes.running--
		}
		if r.Verdict == mettle.Success {
			probes.succeeded++
		}
		if probes.succeeded >= uint64(m.Successes) {
			return Step{Move: true, To: Closed}
		}
		return Step{Word: probes.word()}
	default:
		return Step{Word: word}
	}
}

// watch returns the detector's sum after a result, and whether it trips.
func (m *Machine) watch(sum uint64, r Result) (uint64, bool) {
	switch {
	case r.Verdict == mettle.Ignore:
		return sum, false
	case m.Trip == Trip{}:
		return sum, r.Trips
	case r.Verdict == mettle.Failure:
		return m.Trip.failure(sum)
	default:
		return m.Trip.success(sum), false
	}
}

// Turn decides on an order to go to Closed, ForcedOpen, Disabled or Observing, whatever has been. A breaker that is there already
// stays as it is, except that a closed one forgets what it has seen.
func (m *Machine) Turn(e *Epoch, word uint64, to Phase) Step {
	if to == e.Phase && to != Closed {
		return Step{Word: word}
	}
	return Step{Move: true, To: to}
}

// Next returns the period that follows e and begins at now. The draw must be uniform; it is used where the cooldown
// has grown.
func (m *Machine) Next(e *Epoch, to Phase, now int64, draw uint64) Epoch {
	next := Epoch{Generation: e.Generation + 1, Phase: to, Since: now, Until: now, Level: m.Cooldown}
	switch to {
	case ForcedOpen:
		next.Until = math.MaxInt64
	case Open:
		cooldown := m.Cooldown
		if e.Phase == HalfOpen {
			next.Level = m.grown(e.Level)
			cooldown = m.jittered(next.Level, draw)
		}
		next.Until = int64(clock.Instant(now).Add(cooldown))
	case HalfOpen:
		next.Level = e.Level
		if e.Phase == HalfOpen {
			// More patience each time, or a dependency that answers well but slower than the
			// cooldown would have every result dropped for ever.
			next.Level = m.grown(e.Level)
		}
	}
	return next
}

// Left returns how long after now the period's cooldown, or the time of its probes, lasts. A clock that went
// back does not lengthen it.
func (e *Epoch) Left(now int64) time.Duration {
	return min(clock.Instant(e.Until).Sub(clock.Instant(now)), clock.Instant(e.Until).Sub(clock.Instant(e.Since)))
}
