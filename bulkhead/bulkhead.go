package bulkhead

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
	"github.com/mettle-go/mettle/internal/core/quantile"
	"github.com/mettle-go/mettle/internal/waitq"
)

const kind = "bulkhead"

// A Bulkhead limits how many calls run at a time. It is a mettle.Gate, safe for concurrent use, and must not be
// copied.
type Bulkhead struct {
	// word is the state of machine. All that is needed where a place is free is done to it alone; the number
	// of waiters in it changes only under mu, and so do places that come free while there are any.
	word     atomic.Int64
	admitted atomic.Uint64
	machine  core.Machine
	limit    atomic.Int64 // changes only under mu, together with word
	made     int64        // the limit it was made with

	mu     sync.Mutex
	queue  waitq.Queue[int64] // of weights
	waits  *quantile.Window   // made when first somebody waits
	waited uint64

	rejections atomic.Uint64
	name       string
	maxWait    time.Duration
	observer   mettle.Observer
	full, late *mettle.RejectedError // shared by all that are turned away
}

// New returns an empty bulkhead. It panics if Validate has an error.
func New(c Config) *Bulkhead {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	b := &Bulkhead{
		machine:  core.Machine{Queue: int64(c.Queue), LIFO: c.Order == LIFO},
		name:     c.Name,
		maxWait:  c.MaxWait,
		observer: c.Observer,
		full:     mettle.Reject(kind, c.Name, ErrFull, nil),
		late:     mettle.Reject(kind, c.Name, ErrWait, nil),
	}
	b.word.Store(int64(c.Limit))
	b.limit.Store(int64(c.Limit))
	b.made = int64(c.Limit)
	return b
}

// Do runs fn as soon as there is a place for it, and returns fn's error as it is, or a *mettle.RejectedError.
func (b *Bulkhead) Do(ctx context.Context, fn func(context.Context) error) error {
	// As layer.Gated, without its interface: that is a fourth of the free path.
	if _, err := b.enter(ctx, clock.Unread, 1); err != nil {
		return err
	}
	defer b.leave(1)
	return fn(ctx)
}

// Acquire gives the caller a place, after waiting for it if need be, until he calls the permit's Done once;
// or it returns a *mettle.RejectedError. A place that is free is given without a look at ctx. It is AcquireN of 1.
func (b *Bulkhead) Acquire(ctx context.Context) (mettle.Permit, error) {
	if _, err := b.enter(ctx, clock.Unread, 1); err != nil {
		return mettle.Permit{}, err
	}
	return mettle.NewPermit(ctx, b, 1), nil
}

// AcquireN is Acquire for a call that takes n places at once, such as megabytes of memory. Done gives all of them
// back. It panics if n is less than 1. If n is more than the limit, the call could never run: it is rejected
// at once with ErrFull, and so is one that waits when SetLimit makes it so.
func (b *Bulkhead) AcquireN(ctx context.Context, n int) (mettle.Permit, error) {
	if n < 1 {
		panic(fmt.Sprintf("bulkhead: AcquireN: n is %d, want 1 or more", n))
	}
	if _, err := b.enter(ctx, clock.Unread, int64(n)); err != nil {
		return mettle.Permit{}, err
	}
	return mettle.NewPermit(ctx, b, uint64(n)), nil
}

// AcquireAt is how a mettle.Stack runs the bulkhead. Its types are internal to this module.
func (b *Bulkhead) AcquireAt(ctx context.Context, now clock.Instant) (uint64, clock.Instant, error) {
	at, err := b.enter(ctx, now, 1)
	return 1, at, err
}

// Release gives as many places back as token says; it is called by mettle.Permit's Done and by a mettle.Stack.
func (b *Bulkhead) Release(_ context.Context, token uint64, _ error) { b.leave(int64(token)) }

// SetLimit changes Config.Limit to n, at once and for those who wait too. After it has returned, nobody is admitted
// with whom more than n would be inside. A higher limit lets in as many of those who wait as fit. With a lower one,
// those inside stay to their end, and nobody is admitted until there is room again; who waits and is heavier than n is rejected with ErrFull.
//
// It panics if n is less than 1 or more than 2147483647. It takes time in proportion to those who wait.
func (b *Bulkhead) SetLimit(n int) {
	if n < 1 || n > core.MaxCount {
		panic(fmt.Sprintf("bulkhead: SetLimit: limit is %d, want 1 to %d", n, core.MaxCount))
	}
	b.resize(int64(n))
}

// Fresh reports whether a new Bulkhead in its place would admit the same calls: nobody is inside, nobody waits, and the limit is the one
// it was made with.
func (b *Bulkhead) Fresh() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.word.Load() == b.made && b.limit.Load() == b.made
}

// Describe tells the bulkhead's name and limit, and as metrics
//
//	inside            what the calls inside weigh together; without AcquireN that is how many there are
//	waiting           how many wait
//	admitted          how many have been admitted
//	waited            how many of them after waiting
//	rejections        how many have been rejected
//	queue             how many may wait
//	wait_p50_seconds  what half of the latest waits did not exceed, 0 while there have been none
//	wait_p99_seconds  what 99 in 100 of them did not exceed
//
// The quantiles are those of the latest 2,500 to 5,000 waits, within 2%, those that ended in a rejection included. Calls that did not
// wait have no part in them.
func (b *Bulkhead) Describe() mettle.Description {
	b.mu.Lock()
	limit, waited, waits := b.limit.Load(), b.waited, b.waits
	free, waiting := core.Counts(b.word.Load())
	b.mu.Unlock()
	return mettle.Description{Kind: kind, Name: b.name, Limit: limit, Metrics: []mettle.Metric{
		{Name: "inside", Value: float64(limit - free)},
		{Name: "waiting", Value: float64(waiting)},
		{Name: "admitted", Value: float64(b.admitted.Load())},
		{Name: "waited", Value: float64(waited)},
		{Name: "rejections", Value: float64(b.rejections.Load())},
		{Name: "queue", Value: float64(b.machine.Queue)},
		{Name: "wait_p50_seconds", Value: seconds(waits, 0.5)},
		{Name: "wait_p99_seconds", Value: seconds(waits, 0.99)},
	}}
}

// seconds returns a quantile of waits, which may be nil.
func seconds(waits *quantile.Window, q float64) float64 {
	if waits == nil {
		return 0
	}
	for range 8 {
		// Zero means that there is none yet, or that the histograms moved on meanwhile, by thousands of waits.
		if ns := waits.At(q); ns > 0 {
			return time.Duration(ns).Seconds()
		}
	}
	return 0
}

// enter admits a call of weight n, or not. The clock reading that it returns is now, or a later one.
func (b *Bulkhead) enter(ctx context.Context, now clock.Instant, n int64) (clock.Instant, error) {
	for {
		word := b.word.Load()
		next, answer := b.machine.Enter(word, n)
		switch answer {
		case core.Full:
			return now, b.reject(ctx, b.full)
		case core.Queued, core.Evicting:
			return b.wait(ctx, now, n)
		}
		if b.word.CompareAndSwap(word, next) {
			b.admitted.Add(1)
			return now, nil
		}
	}
}

// leave gives n places back.
func (b *Bulkhead) leave(n int64) {
	for {
		word := b.word.Load()
		next, alone := core.Leave(word, n, b.limit.Load())
		if !alone {
			b.pass(n)
			return
		}
		if b.word.CompareAndSwap(word, next) {
			return
		}
	}
}

func (b *Bulkhead) reject(ctx context.Context, err *mettle.RejectedError) error {
	b.rejections.Add(1)
	if b.observer != nil {
		b.observer(ctx, mettle.Event{Kind: mettle.Rejected, Policy: kind, Name: b.name, Err: err})
	}
	return err
}
