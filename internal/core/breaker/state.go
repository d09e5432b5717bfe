package breaker

import "github.com/mettle-go/mettle"

// A State is one breaker in the hands of one goroutine.
type State struct {
	Epoch
	Word uint64
}

// An Admission is the answer to one caller.
type Admission struct {
	Admitted bool
	Token    uint64 // if admitted: what Settle wants with the result
	Change   Change
}

// A Change is what a call did to the breaker's phase. From equals To if nothing: also where overdue probes lost their
// places, which begins a new half-open period.
type Change struct{ From, To Phase }

// Changed reports whether the phase did change.
func (c Change) Changed() bool { return c.From != c.To }

// Start returns the state of a new breaker.
func (m *Machine) Start(now int64) State { return State{Epoch: m.First(now)} }

// Admit admits or rejects a caller. The admitted must come back by Settle.
func (m *Machine) Admit(s State, now int64) (State, Admission) {
	step := m.Enter(&s.Epoch, s.Word, now)
	// No open period begins here, so that there is nothing to draw for.
	next := m.apply(s, step, now, 0)
	return next, Admission{Admitted: step.Admit, Token: next.Generation, Change: Change{s.Phase, next.Phase}}
}

// Settle takes the result of a call that was admitted with token. Results of calls admitted in another period change
// nothing.
func (m *Machine) Settle(s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
	if token != s.Generation {
		return s, Change{s.Phase, s.Phase}
	}
	next := m.apply(s, m.Leave(&s.Epoch, s.Word, v), now, draw)
	return next, Change{s.Phase, next.Phase}
}

func (m *Machine) apply(s State, step Step, now int64, draw uint64) State {
	if step.Move {
		s.Epoch = m.Next(&s.Epoch, step.To, now, draw)
	}
	s.Word = step.Word
	return s
}
