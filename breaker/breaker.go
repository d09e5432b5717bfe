package breaker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

const kind = "breaker"

// ErrOpen is why a breaker rejects: it is open, or half-open with all probes under way.
var ErrOpen = errors.New("breaker: open")

// A State is one of a breaker's states.
type State uint8

const (
	Closed   = State(core.Closed)   // calls run
	Open     = State(core.Open)     // calls are rejected
	HalfOpen = State(core.HalfOpen) // a few calls run as probes

	ForcedOpen = State(core.ForcedOpen) // after ForceOpen: calls are rejected
	Disabled   = State(core.Disabled)   // after Disable: calls run
	Observing  = State(core.Observing)  // after ObserveOnly: calls run
)

// String returns "closed", "open", "half-open", "forced-open", "disabled" or "observe-only".
func (s State) String() string { return core.Phase(s).String() }

// A Breaker admits calls while the dependency behind them is well. It is a mettle.Gate, safe for concurrent
// use, and must not be copied.
type Breaker struct {
	current  atomic.Pointer[period]
	name     string
	machine  core.Machine
	classify func(error) mettle.Verdict
	observer mettle.Observer

	timed       bool            // calls are timed: their tokens say when they began
	generations uint64          // the bits of a token that are its generation
	slowAfter   time.Duration   // 0: no call is slow
	detector    func() Detector // of Custom

	// What Describe tells. Of a call, only its verdict is counted, and only here.
	calls, failures, slow, rejections, openings, trips atomic.Uint64
}

// New returns a closed breaker. It panics if Validate has an error.
func New(c Config) *Breaker {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	b := &Breaker{
		name: c.Name, machine: c.machine(), classify: c.Classify, observer: c.Observer,
		slowAfter: c.Trip.window.SlowAfter, detector: c.Trip.custom,
	}
	b.timed = b.slowAfter > 0 || b.detector != nil
	b.generations = generationsOf(b.timed)
	b.current.Store(b.begin(b.machine.First(int64(clock.Now())), 0))
	return b
}

// Do runs fn if the breaker admits it, and returns fn's error as it is, or a *mettle.RejectedError.
func (b *Breaker) Do(ctx context.Context, fn func(context.Context) error) (err error) {
	// As layer.Gated, without its interface: that is a fifth of the closed path.
	token, _, err := b.AcquireAt(ctx, clock.Unread)
	if err != nil {
		return err
	}
	err = mettle.ErrUnfinished
	defer func() { b.Release(ctx, token, err) }()
	return fn(ctx)
}

// Acquire admits the caller, who must call the permit's Done once, or returns a *mettle.RejectedError. It
// does not wait and does not look at ctx, which Done hands to mettle.Judge.
func (b *Breaker) Acquire(ctx context.Context) (mettle.Permit, error) {
	token, _, err := b.AcquireAt(ctx, clock.Unread)
	if err != nil {
		return mettle.Permit{}, err
	}
	return mettle.NewPermit(ctx, b, token), nil
}

// AcquireAt is how a mettle.Stack runs the breaker. Its types are internal to this module.
func (b *Breaker) AcquireAt(ctx context.Context, now clock.Instant) (uint64, clock.Instant, error) {
	p := b.current.Load()
	if p.free {
		return p.Generation, now, nil // whatever the word and the time: Machine.Enter says the same
	}
	// This path is as hot as the one above: it must not be what a call costs while the dependency is down.
	if p.quiet.Load() && now == clock.Unread && b.observer == nil {
		if b.rejections.Add(1)%64 == 0 {
			p.listen()
		}
		return 0, now, p.rejection
	}
	return b.enter(ctx, p, now)
}

// Release takes the result of a call back; it is called by mettle.Permit's Done and by a mettle.Stack.
func (b *Breaker) Release(ctx context.Context, token uint64, err error) {
	p := b.current.Load()
	if (p.Generation^token)&b.generations != 0 {
		return
	}
	if err == nil && p.word.Load() == 0 {
		switch {
		case p.window != nil:
			b.succeed(ctx, p, token)
			return
		case p.free:
			b.calls.Add(1) // a success where no failure is held against the dependency changes nothing
			return
		}
	}
	b.result(ctx, p, token, err)
}

// State returns the state the breaker is in. An open breaker whose cooldown is over stays open until the
// next caller.
func (b *Breaker) State() State { return State(b.current.Load().Phase) }

// Fresh reports whether a new breaker in the place of this one would protect as much. It does if this one is closed; or if it is open or
// half-open, and for as long as MaxCooldown nobody has come although a probe would have been admitted: who comes now is admitted by
// either. One that was set by hand is not fresh. What a closed breaker has seen of failures does not count. Package keyed asks it before it
// forgets a breaker, so that hosts which are gone for good do not fill a map.
func (b *Breaker) Fresh() bool {
	p := b.current.Load()
	word := p.word.Load()
	switch {
	case word&core.Sealed != 0:
		return false
	case p.Phase == core.Open, p.Phase == core.HalfOpen:
		again := clock.Instant(p.Again(word))
		return !p.quiet.Load() && clock.Now() >= again.Add(b.machine.MaxCooldown)
	default:
		return p.Phase == core.Closed
	}
}
