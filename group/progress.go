package group

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// Progress is how far a scope is, as Config.Progress is told it.
type Progress struct {
	Done   int // tasks or items that have ended: succeeded, failed or canceled, but not those that were never started
	Failed int // those of Done that failed
	Total  int // items of Map and Settle; 0 where it is not known, in RunWith and Stream

	// Elapsed is the time since the scope began.
	Elapsed time.Duration
	// Rate is how many tasks or items ended in a second of late: over the last 50 reports, which is 5 s where they end
	// often and the time of the last 50 where they do not; since the beginning, until there are so many.
	Rate float64
	// Left is how long the rest takes at this Rate. 0 means that it is not known, or that this is the last report.
	Left time.Duration
}

const (
	reportEvery = 100 * time.Millisecond
	rateReports = 50
)

// meter tells a Config.Progress how far its scope is.
type meter struct {
	report func(Progress)
	total  int
	begun  clock.Instant

	done   atomic.Int64
	failed atomic.Int64
	due    atomic.Int64 // a clock.Instant: no report before
	busy   atomic.Bool  // somebody is in a report, and guards what follows

	samples int // so far, of which past has the latest
	past    [rateReports]sample
}

// sample is how many had ended at an instant.
type sample struct {
	at   clock.Instant
	done int
}

func newMeter(report func(Progress)) *meter {
	m := &meter{report: report, begun: clock.Now(), samples: 1}
	m.past[0].at = m.begun
	m.due.Store(int64(m.begun.Add(reportEvery)))
	return m
}

// tell hears of each task or item that returned, and reports on it if it is time to. It must come before the scope
// accounts for that task, in the goroutine that called it and under its deferred function: if the report panics, the
// task has panicked.
func (s *scope) tell(how ending) {
	if s.meter != nil {
		s.meter.tell(how)
	}
}

// count is tell for a task that did not return: its goroutine is past being able to run a report.
func (s *scope) count(how ending) {
	if s.meter != nil {
		s.meter.count(how, 1)
	}
}

func (m *meter) count(how ending, n int64) {
	m.done.Add(n) // before failed, and read after it, so that no report has more failures than ends
	if how == failed || how == panicked {
		m.failed.Add(n)
	}
}

func (m *meter) tell(how ending) {
	m.count(how, 1)
	now := clock.Now()
	if int64(now) < m.due.Load() || !m.busy.CompareAndSwap(false, true) {
		return
	}
	returned := false
	defer func() {
		m.busy.Store(false)
		if !returned {
			m.count(how, -1) // the scope counts it again, as what it is now
		}
	}()
	if int64(now) >= m.due.Load() { // or somebody else has reported since
		m.due.Store(int64(now.Add(reportEvery)))
		m.report(m.progress(now))
	}
	returned = true
}

// last reports how the scope ended, when all its tasks have.
func (m *meter) last() {
	p := m.progress(clock.Now())
	p.Left = 0
	m.report(p)
}

// progress returns what to report at now.
func (m *meter) progress(now clock.Instant) Progress {
	p := Progress{Failed: int(m.failed.Load()), Total: m.total, Elapsed: now.Sub(m.begun)}
	p.Done = int(m.done.Load())
	oldest := m.past[0]
	if m.samples > rateReports {
		oldest = m.past[m.samples%rateReports]
	}
	if d, ended := now.Sub(oldest.at), p.Done-oldest.done; d > 0 && ended > 0 {
		p.Rate = float64(ended) / d.Seconds()
		p.Left = saturated(float64(d) / float64(ended) * float64(max(p.Total-p.Done, 0)))
	}
	m.past[m.samples%rateReports] = sample{now, p.Done}
	m.samples++
	return p
}

// saturated returns ns as a Duration, or the longest one.
func saturated(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(ns)
}
