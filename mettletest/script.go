package mettletest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mettle-go/mettle"
)

// ErrScriptEnded is what a call gets for which a Script has no step.
var ErrScriptEnded = errors.New("mettletest: the script has ended")

// A Script is a dependency that does as told: its first call does the first step, its second call the second, in the
// order in which calls begin. It counts its calls and is safe for concurrent use.
//
// Further calls than there are steps do what Then says. Without Then they return ErrScriptEnded, marked by mettle.Permanent, so that no
// retry goes on: a script without Then also says how many calls are expected at most.
type Script struct {
	steps []Step
	rest  Step

	calls, running, peak atomic.Int64
}

// NewScript returns a script of steps. It panics if one of them is nil.
func NewScript(steps ...Step) *Script {
	for i, step := range steps {
		if step == nil {
			panic(fmt.Sprintf("mettletest: NewScript: step %d is nil, want a Step", i+1))
		}
	}
	return &Script{steps: append([]Step(nil), steps...)}
}

// Then sets what every call after the last step does, and returns s. Call it before the script is used. It panics if step is nil.
func (s *Script) Then(step Step) *Script {
	if step == nil {
		panic("mettletest: Script.Then: the step is nil, want a Step")
	}
	s.rest = step
	return s
}

// Run is the next call, in the form that a policy's Do takes.
func (s *Script) Run(ctx context.Context) error {
	_, err := s.Call(ctx)
	return err
}

// Call is the next call, in the form that mettle.Call, Bind and Fallback take. With a nil error its value is the number of the
// call, from 1, so that a test sees which run's value arrived. With an error it is 0.
func (s *Script) Call(ctx context.Context) (int, error) {
	n := int(s.calls.Add(1))
	s.rise(s.running.Add(1))
	defer s.running.Add(-1) // also after a panic: what has ended is not running
	if err := s.step(n)(ctx); err != nil {
		return 0, err
	}
	return n, nil
}

func (s *Script) step(n int) Step {
	switch {
	case n <= len(s.steps):
		return s.steps[n-1]
	case s.rest != nil:
		return s.rest
	default:
		return Fail(mettle.Permanent(fmt.Errorf("%w: call %d of %d", ErrScriptEnded, n, len(s.steps))))
	}
}

// rise notes that n calls are under way at once.
func (s *Script) rise(n int64) {
	for {
		peak := s.peak.Load()
		if n <= peak || s.peak.CompareAndSwap(peak, n) {
			return
		}
	}
}

// Calls returns how many calls have begun.
func (s *Script) Calls() int { return int(s.calls.Load()) }

// Running returns how many calls are under way.
func (s *Script) Running() int { return int(s.running.Load()) }

// Peak returns how many calls were under way at once, at most.
func (s *Script) Peak() int { return int(s.peak.Load()) }
