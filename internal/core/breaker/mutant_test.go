package breaker

import (
	"math"
	"testing"

	"github.com/mettle-go/mettle"
)

// A mutant is the machine with a bug planted: one that a breaker of this world has had.
type mutant struct {
	*Machine
	admit  func(m *Machine, s State, now int64) (State, Admission)
	settle func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change)
	set    func(m *Machine, s State, to Phase, now int64) (State, Change)
}

func (m mutant) Admit(s State, now int64) (State, Admission) {
	if m.admit != nil {
		return m.admit(m.Machine, s, now)
	}
	return m.Machine.Admit(s, now)
}

func (m mutant) SettleResult(s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
	if m.settle != nil {
		return m.settle(m.Machine, s, token, r, now, draw)
	}
	return m.Machine.SettleResult(s, token, r, now, draw)
}

func (m mutant) Set(s State, to Phase, now int64) (State, Change) {
	if m.set != nil {
		return m.set(m.Machine, s, to, now)
	}
	return m.Machine.Set(s, to, now)
}

func TestPlantedBugsAreCaught(t *testing.T) {
	for name, bug := range map[string]mutant{
		"the generation is ignored": {settle: func(m *Machine, s State, _ uint64, r Result, now int64, draw uint64) (State, Change) {
			return m.SettleResult(s, s.Generation, r, now, draw)
		}},
		"half-open admits everyone": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			wide := *m
			wide.Probes = MaxCount
			return wide.Admit(s, now)
		}},
		"an ignored probe keeps its place": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if r.Verdict == mettle.Ignore {
				return s, Change{s.Phase, s.Phase}
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"an ignored probe counts as a success": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if r.Verdict == mettle.Ignore && s.Phase == HalfOpen {
				r.Verdict = mettle.Success
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"a hung probe keeps its place for ever": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			if s.Phase == HalfOpen {
				now = math.MinInt64
			}
			return m.Admit(s, now)
		}},
		"overdue probes take what others achieved with them": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			next, a := m.Admit(s, now)
			if s.Phase == HalfOpen && next.Generation != s.Generation {
				next.Word = round{running: 1}.word()
			}
			return next, a
		}},
		"one success closes": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			quick := *m
			quick.Successes = 1
			return quick.SettleResult(s, token, r, now, draw)
		}},
		"the cooldown does not grow": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			s.Level = m.Cooldown / 2
			return m.SettleResult(s, token, r, now, draw)
		}},
		"the cooldown grows without end": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			endless := *m
			endless.MaxCooldown = math.MaxInt64
			return endless.SettleResult(s, token, r, now, draw)
		}},
		"0 means never": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			if s.Phase == Open && s.Until <= 0 {
				return s, Admission{Change: Change{Open, Open}}
			}
			return m.Admit(s, now)
		}},
		"an instant too early": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			return m.Admit(s, now+1)
		}},
		"an instant too late": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			return m.Admit(s, now-1)
		}},
		"an ignored call counts as a failure": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if r.Verdict == mettle.Ignore && s.Phase == Closed {
				r.Verdict = mettle.Failure
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"the sum outlives its period": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			next, c := m.SettleResult(s, token, r, now, draw)
			if c.Changed() && next.Phase == Closed {
				next.Word = 1
			}
			return next, c
		}},
		"a slow probe succeeds": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			r.Slow = r.Slow && s.Phase != HalfOpen
			return m.SettleResult(s, token, r, now, draw)
		}},
		"slow calls do not count": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			r.Slow = r.Slow && s.Phase == HalfOpen
			return m.SettleResult(s, token, r, now, draw)
		}},
		"a window outlives its period": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			next, c := m.SettleResult(s, token, r, now, draw)
			if s.Phase == Observing && next.Generation != s.Generation {
				next.Window = s.Window
			}
			return next, c
		}},
		"ignored calls are in the window": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if s.Window != nil && token == s.Generation && r.Verdict == mettle.Ignore {
				s.Window.Count(now, false, false)
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"the window is asked only about failures": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if s.Window != nil && token == s.Generation && r.Verdict == mettle.Success {
				s.Window.Count(now, false, r.Slow)
				return s, Change{s.Phase, s.Phase}
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"a part of the window never expires": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if s.Window != nil && m.Rate.Time > 0 && s.Phase.Watches() {
				now = min(now, s.Since+int64(m.Rate.Time))
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"observing opens": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			next, c := m.SettleResult(s, token, r, now, draw)
			if s.Phase == Observing && next.Generation != s.Generation {
				next.Phase = Open
			}
			return next, Change{c.From, next.Phase}
		}},
		"disabled trips": {settle: func(m *Machine, s State, token uint64, r Result, now int64, draw uint64) (State, Change) {
			if s.Phase == Disabled {
				s.Phase = Closed
				next, c := m.SettleResult(s, token, r, now, draw)
				if next.Phase == Closed {
					next.Phase = Disabled
				}
				return next, Change{Disabled, max(c.To, next.Phase)}
			}
			return m.SettleResult(s, token, r, now, draw)
		}},
		"a forced one ends with the cooldown": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			if s.Phase == ForcedOpen && now >= s.Since+int64(m.Cooldown) {
				s.Phase, s.Until = Open, now
			}
			return m.Admit(s, now)
		}},
		"a state set by hand is no period of its own": {set: func(m *Machine, s State, to Phase, now int64) (State, Change) {
			next, c := m.Set(s, to, now)
			next.Generation = s.Generation
			return next, c
		}},
		"a reset keeps what a closed one has seen": {set: func(m *Machine, s State, to Phase, now int64) (State, Change) {
			if to == Closed && s.Phase == Closed {
				return s, Change{Closed, Closed}
			}
			return m.Set(s, to, now)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2000) {
				if _, err := check(random(seed, 600), func(m *Machine) subject { b := bug; b.Machine = m; return b }); err != nil {
					return
				}
			}
			t.Error("2000 random runs do not show the bug")
		})
	}
}
