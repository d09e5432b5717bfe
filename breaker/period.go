package breaker

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// A period is the time a breaker spends in one state. All of it but the word is immutable once it is the current one.
//
// It ends in two steps: whoever decides so on the current word seals the word by compare-and-swap, which
// makes that decision unique and the last of the period, and then makes the next period the current one. Who
// meets a sealed word is in between: a closed breaker still admits him, and his result will be too late to
// count; otherwise he waits a moment for the next period, and is rejected if it does not come.
type period struct {
	core.Epoch
	word atomic.Uint64

	rejection       *mettle.RejectedError // shared by all that are turned away; nil if closed
	calls, failures uint64                // the breaker's counts when the period began
}

// begin makes the period of e with its first word.
func (b *Breaker) begin(e core.Epoch, word uint64) *period {
	p := &period{Epoch: e}
	p.word.Store(word)
	switch e.Phase {
	case core.Open:
		p.rejection = mettle.Reject(kind, b.name, ErrOpen, func() (time.Duration, bool) {
			return p.Left(int64(clock.Now())), true
		})
	case core.HalfOpen:
		// A probe may return at any moment, so nobody knows how long to wait.
		p.rejection = mettle.Reject(kind, b.name, ErrOpen, nil)
	}
	return p
}

// seal ends p if its word is still the one that was decided on.
func (p *period) seal(word uint64) bool { return p.word.CompareAndSwap(word, word|core.Sealed) }

// enter admits or rejects a caller in a period that was not closed.
func (b *Breaker) enter(ctx context.Context, p *period, now clock.Instant) (uint64, clock.Instant, error) {
	for {
		word := p.word.Load()
		if word&core.Sealed != 0 {
			next := b.successor(p)
			if next == nil {
				return 0, now, b.reject(ctx, p, now)
			}
			p = next
			continue
		}
		step := b.machine.Enter(&p.Epoch, word, int64(now))
		switch {
		case !step.Admit:
			return 0, now, b.reject(ctx, p, now)
		case step.Move:
			next := b.next(p, step, now)
			if p.seal(word) {
				b.follow(ctx, p, next, now, nil)
				return next.Generation, now, nil
			}
		case p.word.CompareAndSwap(word, step.Word):
			return p.Generation, now, nil
		}
	}
}

// successor returns the period after p, which somebody has sealed and is about to replace, or nil if that takes
// long: whoever sealed it may have lost its processor in between.
func (b *Breaker) successor(p *period) *period {
	for range 2000 {
		if next := b.current.Load(); next != p {
			return next
		}
		runtime.Gosched()
	}
	return nil
}

func (b *Breaker) reject(ctx context.Context, p *period, now clock.Instant) error {
	b.rejections.Add(1)
	if b.observer != nil {
		e := mettle.Event{Kind: mettle.Rejected, Policy: kind, Name: b.name, Err: p.rejection}
		if p.Phase == core.Open {
			e.Wait = p.Left(int64(now))
		}
		b.observer(ctx, e)
	}
	return p.rejection
}

// result takes the result of a call that began in p.
func (b *Breaker) result(ctx context.Context, p *period, err error) {
	verdict := mettle.Ignore
	// Deferred, so that a Classify that panics does not keep a probe's place.
	defer func() { b.leave(ctx, p, verdict, err) }()
	classify := b.classify
	if errors.Is(err, mettle.ErrUnfinished) {
		classify = nil // the caller never sees this error and cannot know what to make of it
	}
	verdict = mettle.Judge(ctx, err, classify)
}

func (b *Breaker) leave(ctx context.Context, p *period, verdict mettle.Verdict, err error) {
	for {
		word := p.word.Load()
		if word&core.Sealed != 0 {
			return
		}
		step := b.machine.Leave(&p.Epoch, word, verdict)
		if step.Move {
			now := clock.Now()
			next := b.next(p, step, now)
			if p.seal(word) {
				b.count(verdict)
				b.follow(ctx, p, next, now, err)
				return
			}
		} else if step.Word == word || p.word.CompareAndSwap(word, step.Word) {
			b.count(verdict)
			return
		}
	}
}

func (b *Breaker) count(verdict mettle.Verdict) {
	if verdict == mettle.Ignore {
		return
	}
	b.calls.Add(1)
	if verdict == mettle.Failure {
		b.failures.Add(1)
	}
}

// next makes the period that follows p. The caller has it ready before he seals p, so that others do not meet a sealed word for long.
func (b *Breaker) next(p *period, step core.Step, now clock.Instant) *period {
	return b.begin(b.machine.Next(&p.Epoch, step.To, int64(now), rand.Uint64()), step.Word)
}

// follow makes next the current period, after p, which the caller has sealed.
func (b *Breaker) follow(ctx context.Context, p, next *period, now clock.Instant, err error) {
	next.calls, next.failures = b.calls.Load(), b.failures.Load()
	b.current.Store(next)
	if next.Phase == core.Open {
		b.openings.Add(1)
	}
	if b.observer != nil && next.Phase != p.Phase {
		b.observer(ctx, mettle.Event{
			Kind: mettle.StateChanged, Policy: kind, Name: b.name, Err: err,
			From: p.Phase.String(), To: next.Phase.String(), After: now.Sub(clock.Instant(p.Since)),
			Calls: next.calls - p.calls, Failures: next.failures - p.failures,
		})
	}
}
