package breaker

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/mettle-go/mettle"
)

// model says what a breaker is to do in the plainest way: it keeps every result and every running probe in lists and
// counts them again each time.
type model struct {
	trips              func(results []record) bool
	slowCounts         bool // a slow probe fails
	cooldown, max      time.Duration
	probes, successes  int
	phase              Phase
	period             int      // the number of the current period
	results            []record // in this closed or observing period, or of this recovery's probes
	running            []int    // probes in this half-open round
	level              time.Duration
	since, until       int64
	last               time.Duration // from since to the admission of the latest probe, in whole milliseconds
	next               int           // the number of the next call
	admitted           map[int]int
	lastOpenWasRecover bool
	tripped            int // how often in observing periods
}

// A record is a result. Its time is the latest that the period has seen: a clock that goes back stands still.
type record struct {
	verdict mettle.Verdict
	slow    bool
	passed  uint64 // since the period began
}

// consecutive, page and windowed are what the detectors compute, from the whole history.
func consecutive(n int) func([]record) bool {
	return func(results []record) bool {
		run := 0
		for _, r := range results {
			switch r.verdict {
			case mettle.Failure:
				run++
			case mettle.Success:
				run = 0
			}
		}
		return run >= n
	}
}

func page(p0, p1, h float64) func([]record) bool {
	return func(results []record) bool {
		s := 0.0
		for _, r := range results {
			switch r.verdict {
			case mettle.Failure:
				s += math.Log(p1 / p0)
			case mettle.Success:
				s = max(0, s-math.Log((1-p0)/(1-p1)))
			}
		}
		return s >= h
	}
}

func windowed(r Rate) func([]record) bool {
	return func(results []record) bool {
		if len(results) == 0 || results[len(results)-1].verdict == mettle.Ignore {
			return false
		}
		in := inWindow(r, results, results[len(results)-1].passed)
		return in.Calls >= uint64(r.Min) && (float64(in.Failures)/float64(in.Calls) >= r.Failures ||
			r.Slow > 0 && float64(in.Slow)/float64(in.Calls) >= r.Slow)
	}
}

// inWindow counts what of the results is in the window when that much time has passed since the period began.
func inWindow(r Rate, results []record, passed uint64) (in Counts) {
	for i := len(results) - 1; i >= 0 && !(r.Calls > 0 && in.Calls == uint64(r.Calls)); i-- {
		rec := results[i]
		if r.Time > 0 && passed/uint64(r.Time/Subs)-rec.passed/uint64(r.Time/Subs) >= Subs {
			break
		}
		if rec.verdict == mettle.Ignore {
			continue
		}
		in.Calls++
		if rec.verdict == mettle.Failure {
			in.Failures++
		}
		if rec.slow {
			in.Slow++
		}
	}
	return in
}

func (m *model) move(to Phase, now int64) {
	m.phase, m.since, m.period = to, now, m.period+1
	m.results, m.running = nil, nil
}

func (m *model) set(to Phase, now int64) {
	if m.phase == to && to != Closed {
		return
	}
	m.level = m.cooldown
	m.move(to, now)
}

// admit returns the number of the admitted call, or 0.
func (m *model) admit(now int64) int {
	switch {
	case m.phase == ForcedOpen:
		return 0
	case m.phase == Open && now < m.until:
		return 0
	case m.phase == Open:
		m.move(HalfOpen, now)
		m.last = 0
	case m.phase == HalfOpen && len(m.running) >= m.probes && now < later(later(m.since, m.last), m.level):
		return 0
	case m.phase == HalfOpen && len(m.running) >= m.probes:
		achieved := m.results
		m.move(HalfOpen, now)
		m.results = achieved
		m.level = min(2*m.level, m.max)
		m.last = 0
	}
	m.next++
	m.admitted[m.next] = m.period
	if m.phase == HalfOpen {
		m.running = append(m.running, m.next)
		if now > m.since {
			d, unit := uint64(now)-uint64(m.since), uint64(time.Millisecond)
			ms := d / unit
			if d%unit > 0 {
				ms++
			}
			m.last = max(m.last, time.Duration(min(ms, maxLast))*time.Millisecond)
		}
	}
	return m.next
}

func (m *model) settle(call int, v mettle.Verdict, slow bool, now int64) {
	if m.admitted[call] != m.period {
		return
	}
	m.running = slices.DeleteFunc(m.running, func(c int) bool { return c == call })
	rec := record{verdict: v, slow: slow && v != mettle.Ignore && m.slowCounts}
	if n := len(m.results); n > 0 {
		rec.passed = m.results[n-1].passed
	}
	if now > m.since {
		rec.passed = max(rec.passed, uint64(now)-uint64(m.since))
	}
	m.results = append(m.results, rec)
	switch {
	case m.phase == Closed && m.trips(m.results):
		m.level, m.lastOpenWasRecover = m.cooldown, false
		m.move(Open, now)
	case m.phase == Observing && m.trips(m.results):
		m.tripped++
		m.move(Observing, now)
	case m.phase == HalfOpen && (v == mettle.Failure || rec.slow):
		m.level, m.lastOpenWasRecover = min(2*m.level, m.max), true
		m.move(Open, now)
	case m.phase == HalfOpen && count(m.results, mettle.Success) == m.successes:
		m.move(Closed, now)
	}
}

// opened checks the cooldown that the breaker drew and takes it over.
func (m *model) opened(left time.Duration) error {
	low, high := m.level, m.level
	if m.lastOpenWasRecover {
		low, high = max(m.level-m.level/10, m.cooldown), min(m.level+m.level/10, m.max)
	}
	if left < min(low, time.Duration(math.MaxInt64-max(m.since, 0))) || left > high {
		return fmt.Errorf("opened for %v, want %v to %v", left, low, high)
	}
	m.until = later(m.since, left)
	return nil
}

func later(now int64, d time.Duration) int64 {
	if now > 0 && int64(d) > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + int64(d)
}

func count(results []record, v mettle.Verdict) (n int) {
	for _, r := range results {
		if r.verdict == v {
			n++
		}
	}
	return n
}
