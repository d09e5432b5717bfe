// Package retry decides whether a failed call is tried again, and when: a pure state machine, driven
// by package retry's Policy.
package retry

import (
	"time"

	"github.com/mettle-go/mettle/internal/core/backoff"
)

// Stop says why there is no further attempt.
type Stop uint8

const (
	Go        Stop = iota // there is one
	Attempts              // as many attempts as allowed were made
	Permanent             // the error is marked permanent
	Hint                  // the server asks for a longer wait than allowed
	Deadline              // the wait would pass the context's deadline
)

// A Plan is the part of a retry's configuration that decides.
type Plan struct {
	Attempts int // calls in all; -1: no limit
	Backoff  backoff.Schedule
	MaxHint  time.Duration
}

// A Failure is what is known when an attempt has failed.
type Failure struct {
	N         int           // the number of the attempt, from 1
	Permanent bool          // its error is marked permanent
	Hint      time.Duration // the wait that the server asked for; 0: none
	Left      time.Duration // until the context's deadline; negative: no deadline
	Waited    time.Duration // the wait before this attempt
	Draw      uint64        // uniform
	HintDraw  uint64        // uniform, independent of Draw
}

// Decide returns the wait before the next attempt, or why there is none.
func (p *Plan) Decide(f Failure) (time.Duration, Stop) {
	switch {
	case f.Permanent:
		return 0, Permanent
	case p.Attempts >= 0 && f.N >= p.Attempts:
		return 0, Attempts
	case f.Hint > p.MaxHint:
		return 0, Hint
	}
	wait := p.Backoff.Wait(f.N, f.Waited, f.Draw)
	if f.Hint > 0 {
		// The herd that one server sent away must not come back as one.
		wait = max(wait, f.Hint)
		wait = backoff.Sum(wait, backoff.Uniform(0, wait/10, f.HintDraw))
	}
	if f.Left >= 0 && wait > 0 && wait >= f.Left {
		return 0, Deadline
	}
	return wait, Go
}
