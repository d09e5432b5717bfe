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
	settle func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change)
}

func (m mutant) Admit(s State, now int64) (State, Admission) {
	if m.admit != nil {
		return m.admit(m.Machine, s, now)
	}
	return m.Machine.Admit(s, now)
}

func (m mutant) Settle(s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
	if m.settle != nil {
		return m.settle(m.Machine, s, token, v, now, draw)
	}
	return m.Machine.Settle(s, token, v, now, draw)
}

func TestPlantedBugsAreCaught(t *testing.T) {
	for name, bug := range map[string]mutant{
		"the generation is ignored": {settle: func(m *Machine, s State, _ uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			return m.Settle(s, s.Generation, v, now, draw)
		}},
		"half-open admits everyone": {admit: func(m *Machine, s State, now int64) (State, Admission) {
			wide := *m
			wide.Probes = MaxCount
			return wide.Admit(s, now)
		}},
		"an ignored probe keeps its place": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			if v == mettle.Ignore {
				return s, Change{s.Phase, s.Phase}
			}
			return m.Settle(s, token, v, now, draw)
		}},
		"an ignored probe counts as a success": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			if v == mettle.Ignore && s.Phase == HalfOpen {
				v = mettle.Success
			}
			return m.Settle(s, token, v, now, draw)
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
		"one success closes": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			quick := *m
			quick.Successes = 1
			return quick.Settle(s, token, v, now, draw)
		}},
		"the cooldown does not grow": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			s.Level = m.Cooldown / 2
			return m.Settle(s, token, v, now, draw)
		}},
		"the cooldown grows without end": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			endless := *m
			endless.MaxCooldown = math.MaxInt64
			return endless.Settle(s, token, v, now, draw)
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
		"an ignored call counts as a failure": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			if v == mettle.Ignore && s.Phase == Closed {
				v = mettle.Failure
			}
			return m.Settle(s, token, v, now, draw)
		}},
		"the sum outlives its period": {settle: func(m *Machine, s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change) {
			next, c := m.Settle(s, token, v, now, draw)
			if c.Changed() && next.Phase == Closed {
				next.Word = 1
			}
			return next, c
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2000) {
				if check(random(seed, 300), func(m *Machine) subject { b := bug; b.Machine = m; return b }) != nil {
					return
				}
			}
			t.Error("2000 random runs do not show the bug")
		})
	}
}
