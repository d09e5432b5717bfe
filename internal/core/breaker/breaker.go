// Package breaker decides when a circuit breaker opens, probes and closes: a pure state machine.
//
// It comes in two forms made of the same functions. Enter, Leave and Next decide on one period and its word,
// for package breaker, which applies what they say by compare-and-swap. Admit and Settle do the same to a
// State that belongs to one goroutine, for owners that keep many breakers in a loop or run in virtual time.
package breaker

import (
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
)

// String returns the phase as it is named in events and descriptions.
func (p Phase) String() string {
	switch p {
	case Closed:
		return "closed"
	case Open:
		return "open"
	default:
		return "half-open"
	}
}

// A Machine is a breaker's configuration, valid and with its defaults filled in. It is immutable and may
// serve any number of breakers.
type Machine struct {
	Trip        Trip
	Cooldown    time.Duration // of the first open period after a closed one, more than 0
	MaxCooldown time.Duration // to which it grows, Cooldown or more
	Probes      int           // at a time in half-open, 1 to MaxCount
	Successes   int           // in half-open that close it, 1 to MaxCount
}

// An Epoch is the immutable part of one period in one phase. All that changes within a period is one word, which
// begins at 0 in closed and open periods and holds the detector's sum (closed) or a count of probes
// (half-open).
type Epoch struct {
	// Generation numbers the periods from 1. It is the token of every call admitted in this one, so
	// that a result that comes after the period has ended can be told and dropped.
	Generation uint64
	Phase      Phase
	Since      int64
	// Until is, for an open period, when probes are admitted. In others it means nothing.
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
	case Closed:
		return Step{Admit: true, Word: word}
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

// Leave decides on the result of a call admitted in this period.
func (m *Machine) Leave(e *Epoch, word uint64, v mettle.Verdict) Step {
	switch e.Phase {
	case Closed:
		switch v {
		case mettle.Success:
			return Step{Word: m.Trip.success(word)}
		case mettle.Failure:
			sum, trips := m.Trip.failure(word)
			if trips {
				return Step{Move: true, To: Open}
			}
			return Step{Word: sum}
		}
		return Step{Word: word}
	case HalfOpen:
		if v == mettle.Failure {
			return Step{Move: true, To: Open}
		}
		r := roundOf(word)
		if r.running > 0 { // else somebody gave a permit back twice: at least the count stays whole
			r.running--
		}
		if v == mettle.Success {
			r.succeeded++
		}
		if r.succeeded >= uint64(m.Successes) {
			return Step{Move: true, To: Closed}
		}
		return Step{Word: r.word()}
	default:
		return Step{Word: word}
	}
}

// Next returns the period that follows e and begins at now. The draw must be uniform; it is used where the cooldown
// has grown.
func (m *Machine) Next(e *Epoch, to Phase, now int64, draw uint64) Epoch {
	next := Epoch{Generation: e.Generation + 1, Phase: to, Since: now, Until: now, Level: m.Cooldown}
	switch to {
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
