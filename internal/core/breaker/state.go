package breaker

import "github.com/mettle-go/mettle"

// A State is one breaker in the hands of one goroutine. Copies share the window.
type State struct {
	Epoch
	Word   uint64
	Window *Window // where Machine.Rate is set and results are watched
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
func (m *Machine) Start(now int64) State { return m.begin(m.First(now), 0) }

func (m *Machine) begin(e Epoch, word uint64) State {
	s := State{Epoch: e, Word: word}
	if m.Rate != nil && e.Phase.Watches() {
		w := m.Rate.Begin(e.Since)
		s.Window = &w
	}
	return s
}

// Admit admits or rejects a caller. The admitted must come back by Settle.
func (m *Machine) Admit(s State, now int64) (State, Admission) {
	step := m.Enter(&s.Epoch, s.Word, now)
	// No open period begins here, so that there is nothing to draw for.
	next := m.apply(s, step, now, 0)
	return next, Admission{Admitted: step.Admit, Token: next.Generation, Change: Change{s.Phase, next.Phase}}
}

// Settle takes the result of a call that was admitted with token and was not slow. Results of calls admitted in another period change
// nothing.
func (m *Machine) Settle(s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
	return m.SettleResult(s, token, Result{Verdict: v}, now, draw)
}

// SettleResult is Settle for any result. The window, if the state has one, decides on Result.Trips.
func (m *Machine) SettleResult(s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
	if token != s.Generation {
		return s, Change{s.Phase, s.Phase}
	}
	if s.Window != nil && r.Verdict != mettle.Ignore {
		r.Trips = s.Window.Count(now, r.Verdict == mettle.Failure, r.Slow)
	}
	next := m.apply(s, m.Leave(&s.Epoch, s.Word, r), now, draw)
	return next, Change{s.Phase, next.Phase}
}

// Set turns the breaker to Closed, ForcedOpen, Disabled or Observing.
func (m *Machine) Set(s State, to Phase, now int64) (State, Change) {
	next := m.apply(s, m.Turn(&s.Epoch, s.Word, to), now, 0)
	return next, Change{s.Phase, next.Phase}
}

func (m *Machine) apply(s State, step Step, now int64, draw uint64) State {
	if step.Move {
		return m.begin(m.Next(&s.Epoch, step.To, now, draw), step.Word)
	}
	s.Word = step.Word
	return s
}
