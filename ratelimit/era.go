package ratelimit

import (
	"math"
	"slices"
	"sync/atomic"

	core "github.com/mettle-go/mettle/internal/core/ratelimit"
)

// An era is the time between two changes of the rate.
type era struct {
	// word is the TAT. While it is core.Held the state is elsewhere, under the Limiter's mu: in line, or in log, or in the era that
	// came next.
	word atomic.Int64
	pace core.Pace
	bounds

	line    core.Line
	log     *core.Log     // with Strict; handed from era to era
	changed chan struct{} // closed when the era ends; made by the first who waits

	next  *era
	ended int64   // when next began
	void  []int64 // what was given in this era or before and does not exist in the next, in order
}

// A place is what a call was given: a slot of the line or, with Strict, the id of an entry in the log.
type place struct {
	era  *era
	slot core.Slot
	id   int64
	n    int
}

// take gives n calls the first place to be had, if they need not wait for longer than within. It returns the wait in any case.
func (l *Limiter) take(now int64, n int, within int64) (place, int64, bool) {
	for {
		e := l.era.Load()
		tat := e.word.Load()
		if tat == core.Held {
			l.mu.Lock()
			p, wait, ok := l.era.Load().take(now, n, within)
			l.mu.Unlock()
			return p, wait, ok
		}
		start, wait, ok := e.pace.Wait(tat, now, int64(n))
		if !ok || wait > within {
			return place{}, wait, false
		}
		end := start + int64(n)*e.pace.Interval
		if e.word.CompareAndSwap(tat, end) {
			return place{era: e, slot: core.Slot{From: start, To: end}, n: n}, wait, true
		}
	}
}

// take is Limiter.take, under mu.
func (e *era) take(now int64, n int, within int64) (p place, wait int64, ok bool) {
	p = place{era: e, n: n}
	switch {
	case n > e.most(): // the rate was changed since the caller looked
		return place{}, math.MaxInt64, false
	case e.log != nil:
		p.id, wait, ok = e.log.Take(now, n, within)
	default:
		e.hold()
		p.slot, wait, ok = e.line.Take(now, int64(n), within)
		e.settle()
	}
	return p, wait, ok
}

// hold moves the state of an era without Strict into its line, until settle. It needs mu.
func (e *era) hold() {
	if tat := e.word.Swap(core.Held); tat != core.Held {
		e.line.TAT = tat
	}
}

// settle puts the state back into the word, if it fits. It needs mu.
func (e *era) settle() {
	if e.line.Plain() {
		e.word.Store(e.line.TAT)
	}
}

// cancel gives p back.
func (l *Limiter) cancel(p *place, now int64) {
	l.mu.Lock()
	p.cancel(now)
	l.mu.Unlock()
}

// cancel is Limiter.cancel, under mu.
func (p *place) cancel(now int64) {
	switch {
	case !p.follow():
	case p.era.log != nil:
		p.era.log.Cancel(p.id, p.n, now)
	default:
		p.era.hold()
		p.era.line.Cancel(p.slot, now)
		p.era.settle()
	}
}

// left returns how long the calls that have p still have to wait. It is false if their place no longer exists. It needs mu.
func (p *place) left(now int64) (wait int64, ok bool) {
	if !p.follow() {
		return math.MaxInt64, false
	}
	e := p.era
	if e.log == nil {
		_, wait, _ = e.pace.Wait(p.slot.From, now, int64(p.n))
		return wait, true
	}
	at := e.log.At(p.id)
	if at <= now {
		return 0, true
	}
	return int64(min(uint64(at)-uint64(now), math.MaxInt64)), true
}

// follow brings p into the present era. It is false if it does not exist there. It needs mu.
func (p *place) follow() bool {
	for e := p.era; e.next != nil; e = p.era {
		if _, void := slices.BinarySearch(e.void, p.id); void && e.log != nil {
			return false
		}
		from, to := &e.pace, &e.next.pace
		p.slot = core.Slot{From: core.Shift(p.slot.From, e.ended, from, to), To: core.Shift(p.slot.To, e.ended, from, to)}
		p.era = e.next
	}
	return true
}

// begin makes the first era.
func begin(b bounds) *era {
	e := &era{bounds: b, pace: b.pace()}
	if b.strict {
		e.log = core.NewLog(b.rate, int64(b.per))
		e.word.Store(core.Held)
		return e
	}
	e.line.Pace = e.pace
	e.word.Store(core.Unset)
	return e
}

// succeed ends e at now and returns the era that follows it. It needs mu.
func (e *era) succeed(b bounds, now int64) *era {
	next := &era{bounds: b, pace: b.pace(), log: e.log}
	next.word.Store(core.Held)
	if e.log != nil {
		e.void = e.log.SetRate(b.rate, int64(b.per), now)
	} else {
		e.hold()
		next.line = e.line
		next.line.Rescale(next.pace, now)
		next.settle()
	}
	e.next, e.ended = next, now
	if e.changed != nil {
		close(e.changed)
	}
	return next
}
