package breaker

import (
	"context"
	"errors"
	"math/rand/v2"
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
// count; the others reject.
type period struct {
	core.Epoch
	word atomic.Uint64

	rejection       *mettle.RejectedError // shared by all that are turned away; nil if closed
	calls, failures uint64                // the breaker's counts when the period began
}

// begin makes the period of e with its first word.
func (b *Breaker) begin(e core.Epoch, word uint64) *period {
	p := &period{Epoch: e, calls: b.calls.Load(), failures: b.failures.Load()}
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
			return 0, now, b.reject(ctx, p, now)
		}
		step := b.machine.Enter(&p.Epoch, word, int64(now))
		switch {
		case !step.Admit:
			return 0, now, b.reject(ctx, p, now)
		case step.Move:
			if p.seal(word) {
				return b.follow(ctx, p, step, now, nil).Generation, now, nil
			}
		case p.word.CompareAndSwap(word, step.Word):
			return p.Generation, now, nil
		}
	}
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
			if p.seal(word) {
				b.count(verdict)
				b.follow(ctx, p, step, clock.Now(), err)
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

// follow makes the period after p, which the caller has sealed, the current one.
func (b *Breaker) follow(ctx context.Context, p *period, step core.Step, now clock.Instant, err error) *period {
	next := b.begin(b.machine.Next(&p.Epoch, step.To, int64(now), rand.Uint64()), step.Word)
	if step.To == core.Open {
		b.openings.Add(1)
	}
	b.current.Store(next)
	if b.observer != nil && next.Phase != p.Phase {
		b.observer(ctx, mettle.Event{
			Kind: mettle.StateChanged, Policy: kind, Name: b.name, Err: err,
			From: p.Phase.String(), To: next.Phase.String(), After: now.Sub(clock.Instant(p.Since)),
			Calls: next.calls - p.calls, Failures: next.failures - p.failures,
		})
	}
	return next
}
