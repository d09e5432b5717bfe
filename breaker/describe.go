package breaker

import (
	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// Describe tells the breaker's name and state, and these metrics. The first six only grow.
//
//	calls             how many results were counted (not those ignored or too late)
//	failures          how many of them were failures
//	slow              how many of them were slow; only if Window.SlowAfter is set
//	rejections        how many calls were rejected
//	openings          how often it opened, failed recoveries included and ForceOpen not
//	trips             how often Trip tripped, also where ObserveOnly kept it from opening
//	failure_rate      the share of failures: of Rate's window while one is kept, else since the state began
//	slow_rate         the same of slow calls; only if Window.SlowAfter is set
//	in_state_seconds  how long it has been in its state
//	probe_in_seconds  how long until it admits probes; only while it is open
//
// It reads the clock once, and with Rate takes the window's lock.
func (b *Breaker) Describe() mettle.Description {
	p := b.current.Load()
	now := clock.Now()
	// The parts before the whole: what is counted in between makes a rate smaller, never more than 1.
	failures, slow := b.failures.Load(), b.slow.Load()
	calls := b.calls.Load()
	counts := core.Counts{Calls: since(calls, p.calls), Failures: since(failures, p.failures), Slow: since(slow, p.slow)}
	if p.window != nil {
		counts = p.window.read(int64(now))
	}
	metrics := make([]mettle.Metric, 0, 10)
	add := func(name string, value float64) {
		metrics = append(metrics, mettle.Metric{Name: name, Value: value})
	}
	add("calls", float64(calls))
	add("failures", float64(failures))
	if b.slowAfter > 0 {
		add("slow", float64(slow))
	}
	add("rejections", float64(b.rejections.Load()))
	add("openings", float64(b.openings.Load()))
	add("trips", float64(b.trips.Load()))
	add("failure_rate", min(counts.FailureRate(), 1))
	if b.slowAfter > 0 {
		add("slow_rate", min(counts.SlowRate(), 1))
	}
	add("in_state_seconds", now.Sub(clock.Instant(p.Since)).Seconds())
	if p.Phase == core.Open {
		add("probe_in_seconds", p.Left(int64(now)).Seconds())
	}
	return mettle.Description{Kind: kind, Name: b.name, State: p.Phase.String(), Metrics: metrics}
}

// since returns how much a count has grown. The counts of a period's end are read while late ones may still come
// in, so that one may be behind the other by a few.
func since(count, before uint64) uint64 {
	if count < before {
		return 0
	}
	return count - before
}
