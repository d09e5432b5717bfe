package breaker

import (
	"context"
	"errors"
	"sync/atomic"

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
)

// String returns "closed", "open" or "half-open".
func (s State) String() string { return core.Phase(s).String() }

// A Breaker admits calls while the dependency behind them is well. It is a mettle.Gate, safe for concurrent
// use, and must not be copied.
type Breaker struct {
	current  atomic.Pointer[period]
	name     string
	machine  core.Machine
	classify func(error) mettle.Verdict
	observer mettle.Observer

	// What Describe tells. Of a call, only its verdict is counted, and only here.
	calls, failures, rejections, openings atomic.Uint64
}

// New returns a closed breaker. It panics if Validate has an error.
func New(c Config) *Breaker {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	b := &Breaker{name: c.Name, machine: c.machine(), classify: c.Classify, observer: c.Observer}
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
	if p.Phase == core.Closed {
		return p.Generation, now, nil // whatever the word and the time: Machine.Enter says the same
	}
	now = now.OrNow()
	if p.Phase == core.Open && int64(now) < p.Until { // so does it here, and this path is as hot as the closed one
		return 0, now, b.reject(ctx, p, now)
	}
	return b.enter(ctx, p, now)
}

// Release takes the result of a call back; it is called by mettle.Permit's Done and by a mettle.Stack.
func (b *Breaker) Release(ctx context.Context, token uint64, err error) {
	p := b.current.Load()
	if p.Generation != token {
		return
	}
	if err == nil && p.Phase == core.Closed && p.word.Load() == 0 {
		b.calls.Add(1) // a success where no failure is held against the dependency changes nothing
		return
	}
	b.result(ctx, p, err)
}

// State returns the state the breaker is in. An open breaker whose cooldown is over stays open until the
// next caller.
func (b *Breaker) State() State { return State(b.current.Load().Phase) }

// Describe tells the breaker's name and state, how many calls it counted (not those it ignored), how many of
// them failed, how many it rejected, how often it opened and, while it is open, the seconds until it admits
// probes.
func (b *Breaker) Describe() mettle.Description {
	p := b.current.Load()
	d := mettle.Description{Kind: kind, Name: b.name, State: p.Phase.String(), Metrics: []mettle.Metric{
		{Name: "calls", Value: float64(b.calls.Load())},
		{Name: "failures", Value: float64(b.failures.Load())},
		{Name: "rejections", Value: float64(b.rejections.Load())},
		{Name: "openings", Value: float64(b.openings.Load())},
	}}
	if p.Phase == core.Open {
		d.Metrics = append(d.Metrics, mettle.Metric{Name: "probe_in_seconds", Value: p.Left(int64(clock.Now())).Seconds()})
	}
	return d
}
