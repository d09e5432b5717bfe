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
	trips              func(results []mettle.Verdict) bool
	cooldown, max      time.Duration
	probes, successes  int
	phase              Phase
	period             int              // the number of the current period
	results            []mettle.Verdict // in this closed period, or of this recovery's probes
	running            []int            // probes in this half-open round
	level              time.Duration
	since, until       int64
	last               time.Duration // from since to the admission of the latest probe, in whole milliseconds
	next               int           // the number of the next call
	admitted           map[int]int
	lastOpenWasRecover bool
}

// consecutive and page are what Trip computes, from the whole history.
func consecutive(n int) func([]mettle.Verdict) bool {
	return func(results []mettle.Verdict) bool {
		run := 0
		for _, v := range results {
			switch v {
			case mettle.Failure:
				run++
			case mettle.Success:
				run = 0
			}
		}
		return run >= n
	}
}

func page(p0, p1, h float64) func([]mettle.Verdict) bool {
	return func(results []mettle.Verdict) bool {
		s := 0.0
		for _, v := range results {
			switch v {
			case mettle.Failure:
				s += math.Log(p1 / p0)
			case mettle.Success:
				s = max(0, s-math.Log((1-p0)/(1-p1)))
			}
		}
		return s >= h
	}
}

func (m *model) move(to Phase, now int64) {
	m.phase, m.since, m.period = to, now, m.period+1
	m.results, m.running = nil, nil
}

// admit returns the number of the admitted call, or 0.
func (m *model) admit(now int64) int {
	switch {
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

func (m *model) settle(call int, v mettle.Verdict, now int64) {
	if m.admitted[call] != m.period {
		return
	}
	m.running = slices.DeleteFunc(m.running, func(c int) bool { return c == call })
	m.results = append(m.results, v)
	switch {
	case m.phase == Closed && m.trips(m.results):
		m.level, m.lastOpenWasRecover = m.cooldown, false
		m.move(Open, now)
	case m.phase == HalfOpen && v == mettle.Failure:
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

func count(results []mettle.Verdict, v mettle.Verdict) (n int) {
	for _, r := range results {
		if r == v {
			n++
		}
	}
	return n
}
