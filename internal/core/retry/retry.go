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
	Rule                  // the rule for errors of its kind says so
	Hint                  // the server asks for a longer wait than allowed
	Elapsed               // the wait would end after the time allowed for the call
	Deadline              // the wait would pass the context's deadline
)

// A Plan is the part of a retry's configuration that decides.
type Plan struct {
	Attempts   int // calls in all; -1: no limit
	Backoff    backoff.Schedule
	MaxHint    time.Duration
	MaxElapsed time.Duration // from the begin of the call to the end of a wait; 0: no limit
	Kinds      []Kind        // what is different for some errors
}

// A Kind is the part of a Plan that may differ for errors of one kind.
type Kind struct {
	Stop     bool              // no retry
	Attempts int               // as in Plan, but of failures of this kind, which then count for themselves; 0: they count with all others
	Backoff  *backoff.Schedule // nil: that of the plan
}

// own reports whether failures of the kind count for themselves. Kind 0 is that of errors for which the plan has none of its Kinds;
// kind i is Kinds[i-1].
func (p *Plan) own(kind int) bool { return kind > 0 && p.Kinds[kind-1].Attempts != 0 }

// A Failure is what is known when an attempt has failed.
type Failure struct {
	N         int           // how many attempts failed with what counts as this kind, from 1; see Run.Count
	Kind      int           // 0, or i for Kinds[i-1]
	Permanent bool          // its error is marked permanent
	Hint      time.Duration // the wait that the server asked for; 0: none
	Elapsed   time.Duration // since the call began
	Left      time.Duration // until the context's deadline; negative: no deadline
	Waited    time.Duration // the wait before this attempt
	Draw      uint64        // uniform
	HintDraw  uint64        // uniform, independent of Draw
}

// Limit returns how many attempts may fail with what counts as that kind, or -1.
func (p *Plan) Limit(kind int) int {
	if p.own(kind) {
		return p.Kinds[kind-1].Attempts
	}
	return p.Attempts
}

// Decide returns the wait before the next attempt, or why there is none.
func (p *Plan) Decide(f Failure) (time.Duration, Stop) {
	limit, schedule, stop := p.Limit(f.Kind), &p.Backoff, false
	if f.Kind > 0 {
		kind := &p.Kinds[f.Kind-1]
		stop = kind.Stop
		if kind.Backoff != nil {
			schedule = kind.Backoff
		}
	}
	switch {
	case f.Permanent:
		return 0, Permanent
	case stop:
		return 0, Rule
	case limit >= 0 && f.N >= limit:
		return 0, Attempts
	case f.Hint > p.MaxHint:
		return 0, Hint
	}
	wait := schedule.Wait(f.N, f.Waited, f.Draw)
	if f.Hint > 0 {
		// The herd that one server sent away must not come back as one.
		wait = max(wait, f.Hint)
		wait = backoff.Sum(wait, backoff.Uniform(0, wait/10, f.HintDraw))
	}
	switch {
	case p.MaxElapsed > 0 && backoff.Sum(max(f.Elapsed, 0), wait) >= p.MaxElapsed:
		return 0, Elapsed
	case f.Left >= 0 && wait > 0 && wait >= f.Left:
		return 0, Deadline
	}
	return wait, Go
}
