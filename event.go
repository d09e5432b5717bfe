package mettle

import (
	"context"
	"time"
)

// Kind says what an Event tells of.
type Kind uint8

const (
	// Retried: an attempt failed and another follows after Wait.
	Retried Kind = iota + 1
	// Rejected: a policy turned a call away; Err says why.
	Rejected
	// StateChanged: a breaker went From one state To another. From and To are the same where a breaker that only observes would
	// have opened.
	StateChanged
	// TimedOut: a call's time, After, was up.
	TimedOut
	// Hedged: a call was slow and another run of it was started.
	Hedged
	// FellBack: a fallback was used because of Err: another function, or a value of earlier.
	FellBack
)

// String returns the kind in the words of a log line.
func (k Kind) String() string {
	switch k {
	case Retried:
		return "retry"
	case Rejected:
		return "rejected"
	case StateChanged:
		return "state changed"
	case TimedOut:
		return "timed out"
	case Hedged:
		return "hedge"
	case FellBack:
		return "fallback"
	default:
		return "unknown"
	}
}

// An Event is a rare thing that happened in a policy. Which fields are set depends on Kind; the rest is
// zero. What happens in every call is counted instead: see Describer.
type Event struct {
	Kind   Kind
	Policy string // the kind of policy, such as "breaker"
	Name   string // its Config.Name
	Err    error  // what led to it

	Attempt int           // Retried, Hedged: the number of the attempt that ended, or starts, from 1. FellBack: that of the function
	Of      int           // Retried: attempts allowed; 0 means no limit. FellBack: functions in the chain
	Wait    time.Duration // Retried: until the next attempt. Rejected: until a retry may help; 0 if unknown
	After   time.Duration // TimedOut: the time allowed. StateChanged: time spent in From. FellBack: the age of a stale value

	From, To        string // StateChanged
	Calls, Failures uint64 // StateChanged: counted in the state that ends
}

// An Observer is told of events. A policy calls it in the goroutine of the call, outside of its locks: it
// may call back into the policy, and the call waits for it. It must be safe for concurrent use. A nil
// Observer costs nothing.
type Observer func(ctx context.Context, e Event)
