package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// account is what a Ledger does.
type account interface {
	Advance(now int64) bool
	Earn(calls int64)
	Withdraw(units int64) (Withdrawal, bool)
	Return(w Withdrawal)
	Available() int64
}

// world holds every token on its own. In it a nanosecond adds a whole number of units, so that the floor is a token a nanosecond, and
// nothing is rounded.
type world struct {
	ratio, perNano, ttl int64
	begun               bool
	at, v               int64
	born                []token // in order of v
	taken               []taking
}

type token struct{ v, units int64 }

type taking struct {
	w        Withdrawal
	v, units int64
	returned bool
}

// advance is the ledger's rule on time, put plainly: small steps back do not count, great ones start anew.
func (m *world) advance(now int64) {
	switch {
	case !m.begun:
		m.begun = true
	case now > m.at:
		m.v += min(now-m.at, 2*m.ttl) // all the same beyond
	case m.at-now < m.ttl:
		return
	}
	m.at = now
}

// affordable reports whether each run that took place can be paid with tokens of its own, born before it and less than
// a ttl old. Paying with the oldest first is the best one can do.
func (m *world) affordable() bool {
	tokens := append([]token(nil), m.born...)
	for v := 1 - m.ttl; v <= m.v; v++ {
		tokens = append(tokens, token{v, m.perNano})
	}
	at := map[int64]int64{}
	for _, t := range tokens {
		at[t.v] += t.units
	}
	oldest := 1 - m.ttl
	for _, t := range m.taken {
		if t.returned {
			continue
		}
		need := t.units
		for oldest = max(oldest, t.v-m.ttl+1); need > 0; oldest++ {
			if oldest > t.v {
				return false
			}
			paid := min(need, at[oldest])
			at[oldest] -= paid
			need -= paid
			if at[oldest] > 0 {
				break
			}
		}
	}
	return true
}

// certain is what must be there: what came in of late, less all that went out since.
func (m *world) certain() int64 {
	late := m.ttl / slots * (slots - 1)
	units := late * m.perNano
	for _, t := range m.born {
		if t.v >= m.v-late {
			units += t.units
		}
	}
	for _, t := range m.taken {
		if t.v >= m.v-late {
			units -= t.units
		}
	}
	return units
}

// play runs the operations that ops encodes and returns the first way in which a misbehaved.
func play(a account, m *world, now int64, ops []byte) error {
	step := m.ttl / slots / 3
	for i := 0; i+1 < len(ops); i += 2 {
		arg := int64(ops[i+1])
		a.Advance(now)
		m.advance(now)
		switch ops[i] % 8 {
		case 0, 1:
			a.Earn(arg)
			m.born = append(m.born, token{m.v, arg * m.ratio})
		case 2, 3:
			units := arg * m.ratio
			before := a.Available()
			w, ok := a.Withdraw(units)
			if ok != (units <= before) {
				return fmt.Errorf("Withdraw(%d) of %d is %t", units, before, ok)
			}
			if ok {
				m.taken = append(m.taken, taking{w: w, v: m.v, units: units})
			}
			if after := a.Available(); ok && after != before-units || !ok && after != before {
				return fmt.Errorf("%d before Withdraw(%d) and %d after", before, units, after)
			}
		case 4:
			if len(m.taken) == 0 {
				break
			}
			t := &m.taken[arg%int64(len(m.taken))]
			if t.returned {
				break
			}
			before := a.Available()
			a.Return(t.w)
			t.returned = true
			switch back := a.Available() - before; {
			case back < 0 || back > t.units:
				return fmt.Errorf("Return of %d adds %d", t.units, back)
			case t.v == m.v && back != t.units:
				return fmt.Errorf("Return of %d in the same instant adds %d", t.units, back)
			case m.v-t.v >= m.ttl && back != 0:
				return fmt.Errorf("Return of %d that have expired adds %d", t.units, back)
			}
		case 5:
			now += arg % step
		case 6:
			now += arg * step
		case 7:
			switch {
			case arg > 250:
				now = back(now, 1<<40)
			case arg > 245:
				now += 1 << 40
			case arg > 200:
				now = back(now, arg%m.ttl)
			default:
				now += m.ttl * arg / 100
			}
		}
		a.Advance(now)
		m.advance(now)
		if a.Available() < m.certain() {
			return fmt.Errorf("after operation %d: %d available, want %d or more", i/2, a.Available(), m.certain())
		}
	}
	if !m.affordable() {
		return fmt.Errorf("more was withdrawn than any window had: %v of %v", m.taken, m.born)
	}
	return nil
}

// back returns the instant d before now, but none before the beginning of time, where the model would be lost.
func back(now, d int64) int64 { return max(now, math.MinInt64+d) - d }

// pair returns a ledger and its world. Prices vary: no floor, no earning, both.
func pair(kind byte) (*Ledger, *world) {
	m := &world{ratio: 7, perNano: 1, ttl: 16 * 9}
	switch kind % 4 {
	case 1:
		m.perNano = 0
	case 2:
		m.ttl = 16*9 + 5 // slots do not fill it
	case 3:
		m.perNano, m.ratio = 3, 40
	}
	l := New(m.ratio, m.perNano*second, m.ttl)
	return &l, m
}

var starts = []int64{-1 << 59, 0, 1 << 61, math.MinInt64 + 1<<42}

func FuzzLedger(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 2, 3, 5, 5, 4, 0})
	f.Add([]byte{1, 1, 0, 200, 6, 40, 2, 100, 7, 99, 4, 0, 2, 100})
	f.Add([]byte{0, 3, 7, 255, 0, 48, 7, 255, 7, 255, 7, 255, 7, 255})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 || len(ops) > 400 {
			return
		}
		l, m := pair(ops[0])
		if err := play(l, m, starts[ops[1]%4], ops[2:]); err != nil {
			t.Error(err)
		}
	})
}

func random(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	ops := make([]byte, 2+r.IntN(200))
	for i := range ops {
		ops[i] = byte(r.Uint32())
	}
	return ops
}

func TestLedgerAgainstModel(t *testing.T) {
	for seed := range uint64(3000) {
		ops := random(seed)
		l, m := pair(ops[0])
		if err := play(l, m, starts[ops[1]%4], ops[2:]); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// A mutant is a ledger with a bug planted.
type mutant struct {
	*Ledger
	advance func(l *Ledger, now int64) bool
	earn    func(l *Ledger, calls int64)
	giveOut func(l *Ledger, units int64) (Withdrawal, bool)
	giveIn  func(l *Ledger, w Withdrawal)
}

func (m mutant) Advance(now int64) bool {
	if m.advance != nil {
		return m.advance(m.Ledger, now)
	}
	return m.Ledger.Advance(now)
}

func (m mutant) Earn(calls int64) {
	if m.earn != nil {
		m.earn(m.Ledger, calls)
		return
	}
	m.Ledger.Earn(calls)
}

func (m mutant) Withdraw(units int64) (Withdrawal, bool) {
	if m.giveOut != nil {
		return m.giveOut(m.Ledger, units)
	}
	return m.Ledger.Withdraw(units)
}

func (m mutant) Return(w Withdrawal) {
	if m.giveIn != nil {
		m.giveIn(m.Ledger, w)
		return
	}
	m.Ledger.Return(w)
}

func TestPlantedBugsAreCaught(t *testing.T) {
	for name, bug := range map[string]mutant{
		"nothing expires": {advance: func(l *Ledger, now int64) bool {
			kept, total := l.earned, l.total
			moved := l.Advance(now)
			l.earned, l.total = kept, total
			return moved
		}},
		"a slot expires one too late": {advance: func(l *Ledger, now int64) bool {
			next := l.slot + 1
			kept := l.earned[next%slots]
			moved := l.Advance(now)
			if l.slot == next {
				l.credit(next, kept)
			}
			return moved
		}},
		"a slot expires too early": {advance: func(l *Ledger, now int64) bool {
			moved := l.Advance(now)
			for _, i := range []int64{l.slot + 1, l.slot + 2} {
				l.credit(i, -l.earned[i%slots])
			}
			return moved
		}},
		"time that goes back counts when it comes again": {advance: func(l *Ledger, now int64) bool {
			l.at = min(l.at, now)
			return l.Advance(now)
		}},
		"calls earn a unit too much": {earn: func(l *Ledger, calls int64) {
			l.Earn(calls)
			l.credit(l.slot, 1)
		}},
		"the newest go first": {giveOut: func(l *Ledger, units int64) (Withdrawal, bool) {
			w, ok := l.Withdraw(units)
			w.slot = l.v / l.width // and come back as new
			return w, ok
		}},
		"what comes back is new": {giveIn: func(l *Ledger, w Withdrawal) {
			l.credit(l.slot, w.earned+w.floor)
		}},
		"what comes back goes to the oldest slot": {giveIn: func(l *Ledger, w Withdrawal) {
			l.credit(l.slot+1, w.earned)
			w.earned = 0
			l.Return(w)
		}},
		"the floor comes back whole": {giveIn: func(l *Ledger, w Withdrawal) {
			l.level = min(l.full, l.level+w.floor)
			w.floor = 0
			l.Return(w)
		}},
		"the floor does not come back": {giveIn: func(l *Ledger, w Withdrawal) {
			w.floor = 0
			l.Return(w)
		}},
		"the floor has no limit": {advance: func(l *Ledger, now int64) bool {
			l.full = math.MaxInt64
			return l.Advance(now)
		}},
	} {
		caught := false
		for seed := uint64(0); seed < 5000 && !caught; seed++ {
			ops := random(seed)
			l, m := pair(ops[0])
			bug.Ledger = l
			caught = play(bug, m, starts[ops[1]%4], ops[2:]) != nil
		}
		if !caught {
			t.Errorf("%s: not caught", name)
		}
	}
}
