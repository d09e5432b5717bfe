package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/ratelimit"
)

const kind = "ratelimit"

// ErrLimited is why a limiter rejects, unless the caller's context ended: the call would have had to wait for longer than it may.
var ErrLimited = errors.New("ratelimit: limited")

// A Limiter limits how many calls begin in a time. It is a mettle.Gate, safe for concurrent use, and must not be copied.
type Limiter struct {
	era atomic.Pointer[era]

	admitted, rejections atomic.Uint64
	waits                atomic.Uint64
	waiting              atomic.Int64

	mu     sync.Mutex // held for arithmetic only
	spare  *waiter    // linked by next
	spares int

	name     string
	maxWait  int64
	observer mettle.Observer
	made     bounds
	limited  *mettle.RejectedError // shared by all single calls that are turned away
}

// New returns a limiter that nobody has called yet: its burst is there in full. It panics if Validate has an error.
func New(c Config) *Limiter {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	l := &Limiter{
		name:     c.Name,
		maxWait:  int64(c.MaxWait),
		observer: c.Observer,
		made:     bounds{c.Rate, orSecond(c.Per), c.Burst, c.Strict},
	}
	l.limited = l.rejection(1)
	l.era.Store(begin(l.made))
	return l
}

// Do runs fn as soon as the rate allows, and returns fn's error as it is, or a *mettle.RejectedError.
func (l *Limiter) Do(ctx context.Context, fn func(context.Context) error) error {
	if _, _, err := l.AcquireAt(ctx, clock.Unread); err != nil {
		return err
	}
	return fn(ctx)
}

// Acquire returns when the caller may begin, or returns a *mettle.RejectedError. The permit's Done does nothing. A call that need not wait is admitted
// without a look at ctx.
func (l *Limiter) Acquire(ctx context.Context) (mettle.Permit, error) {
	_, _, err := l.AcquireAt(ctx, clock.Unread)
	return mettle.Permit{}, err
}

// AcquireN is Acquire for n calls at once. More than Burst, or than Rate with Strict, are rejected. It panics if n is below 1.
func (l *Limiter) AcquireN(ctx context.Context, n int) error {
	mustCount("AcquireN", n)
	_, err := l.enter(ctx, clock.Now(), n)
	return err
}

// AcquireAt is how a mettle.Stack runs the limiter. Its types are internal to this module.
func (l *Limiter) AcquireAt(ctx context.Context, now clock.Instant) (uint64, clock.Instant, error) {
	now = now.OrNow()
	switch l.look(int64(now)) {
	case passed:
		return 0, now, nil
	case early:
		// As enter has it, but nothing is done here that a call which passes does not need: rejecting must not be dearer.
		if l.maxWait == 0 && l.observer == nil {
			l.rejections.Add(1)
			return 0, now, l.limited
		}
	}
	now, err := l.enter(ctx, now, 1)
	return 0, now, err
}

// Release does nothing: a call that has begun has begun, however it ends.
func (l *Limiter) Release(context.Context, uint64, error) {}

// Allow reports whether a call may begin now, and counts it if so. It never waits.
func (l *Limiter) Allow() bool {
	now := clock.Now()
	switch l.look(int64(now)) {
	case passed:
		return true
	case early:
		if l.observer == nil {
			l.rejections.Add(1)
			return false
		}
	}
	return l.allow(now, 1)
}

// AllowN is Allow for n calls at once: all of them or none. It panics if n is below 1.
func (l *Limiter) AllowN(n int) bool {
	mustCount("AllowN", n)
	return l.allow(clock.Now(), n)
}

// A sight is what one look at the word says of a single call.
type sight uint8

const (
	unsure sight = iota // it does not say
	passed              // the call may begin, and is counted
	early               // it would have to wait
)

// look lets a single call through, if the word is enough to say so.
func (l *Limiter) look(now int64) sight {
	e := l.era.Load()
	for {
		tat := e.word.Load()
		next, ok := e.pace.Pass(tat, now)
		if !ok {
			if e.pace.Early(tat, now) {
				return early
			}
			return unsure
		}
		if e.word.CompareAndSwap(tat, next) {
			l.admitted.Add(1)
			return passed
		}
	}
}

func (l *Limiter) allow(now clock.Instant, n int) bool {
	wait, ok := int64(0), n <= l.era.Load().most()
	if ok {
		_, wait, ok = l.take(int64(now), n, 0)
	}
	if !ok {
		l.reject(context.Background(), n, wait)
		return false
	}
	l.admitted.Add(1)
	return true
}

// SetRate changes the limit to rate calls in each per, 0 meaning 1 s. Burst stays as it is.
//
// The change takes effect at once, for those who wait too: they keep their order, and each waits for as long as the new rate asks. One for
// whom that is too long is rejected. What was used up stays used up: who is n calls in debt before is n calls in debt after.
//
// SetRate panics where Config.Validate would have an error.
func (l *Limiter) SetRate(rate int, per time.Duration) {
	b := bounds{rate, orSecond(per), l.made.burst, l.made.strict}
	if what, want := b.flaw(); what != "" {
		panic(fmt.Sprintf("ratelimit: SetRate: %s, want %s", what, want))
	}
	now := int64(clock.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.era.Store(l.era.Load().succeed(b, now))
}

// Fresh reports whether a new limiter in this one's place would admit no call more: its burst is there in full, nobody waits, no reservation is
// to come, and its rate is the one it was made with.
func (l *Limiter) Fresh() bool {
	now := int64(clock.Now())
	e := l.era.Load()
	if e.rate != l.made.rate || e.per != l.made.per {
		return false
	}
	if tat := e.word.Load(); tat != core.Held {
		return tat <= now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if e = l.era.Load(); e.log != nil {
		return e.log.Idle(now)
	}
	e.hold()
	defer e.settle()
	return e.line.TAT <= now
}

// Describe tells the limiter's name and rate, how many calls could begin at once now, how many wait, how many were admitted, how
// many of them after waiting, and how many rejected, and the Per and the Burst that go with the rate. With Strict, burst is the rate.
func (l *Limiter) Describe() mettle.Description {
	available, e := l.available(int64(clock.Now()))
	return mettle.Description{Kind: kind, Name: l.name, Limit: int64(e.rate), Metrics: []mettle.Metric{
		{Name: "available", Value: float64(available)},
		{Name: "waiting", Value: float64(l.waiting.Load())},
		{Name: "admitted", Value: float64(l.admitted.Load())},
		{Name: "waited", Value: float64(l.waits.Load())},
		{Name: "rejections", Value: float64(l.rejections.Load())},
		{Name: "per_seconds", Value: e.per.Seconds()},
		{Name: "burst", Value: float64(e.most())},
	}}
}

func (l *Limiter) available(now int64) (int64, *era) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.era.Load()
	if e.log != nil {
		return int64(e.log.Available(now)), e
	}
	e.hold()
	defer e.settle()
	return e.line.Available(now), e
}

func mustCount(method string, n int) {
	if n < 1 {
		panic(fmt.Sprintf("ratelimit: %s: n is %d, want 1 or more", method, n))
	}
}

// rejection makes the error of n calls that are turned away.
func (l *Limiter) rejection(n int) *mettle.RejectedError {
	return mettle.Reject(kind, l.name, ErrLimited, func() (time.Duration, bool) {
		// To look is to be turned away once more.
		_, wait, _ := l.take(int64(clock.Now()), n, -1)
		if wait == math.MaxInt64 {
			return 0, false
		}
		return time.Duration(wait), true
	})
}

// reject turns n calls away that would have had to wait so long.
func (l *Limiter) reject(ctx context.Context, n int, wait int64) error {
	err := l.limited
	switch {
	case n > l.era.Load().most(), wait == math.MaxInt64:
		err, wait = mettle.Reject(kind, l.name, ErrLimited, nil), 0
	case n > 1:
		err = l.rejection(n)
	}
	l.tell(ctx, err, wait)
	return err
}

func (l *Limiter) tell(ctx context.Context, err *mettle.RejectedError, wait int64) {
	l.rejections.Add(1)
	if l.observer != nil {
		l.observer(ctx, mettle.Event{Kind: mettle.Rejected, Policy: kind, Name: l.name, Err: err, Wait: time.Duration(wait)})
	}
}
