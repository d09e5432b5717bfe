package breaker

import (
	"context"
	"errors"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// result takes the result of a call that began in p.
func (b *Breaker) result(ctx context.Context, p *period, token uint64, err error) {
	if err == nil {
		b.leave(ctx, p, token, mettle.Success, nil) // as Judge says
		return
	}
	verdict := mettle.Ignore
	// Deferred, so that a Classify that panics does not keep a probe's place.
	defer func() { b.leave(ctx, p, token, verdict, err) }()
	classify := b.classify
	if errors.Is(err, mettle.ErrUnfinished) {
		classify = nil // the caller never sees this error and cannot know what to make of it
	}
	verdict = mettle.Judge(ctx, err, classify)
}

func (b *Breaker) leave(ctx context.Context, p *period, token uint64, verdict mettle.Verdict, err error) {
	if p.word.Load()&core.Sealed != 0 {
		return
	}
	r := core.Result{Verdict: verdict}
	now := clock.Unread
	if verdict != mettle.Ignore {
		now = b.watch(p, token, &r, err)
	}
	for {
		word := p.word.Load()
		if word&core.Sealed != 0 {
			return
		}
		step := b.machine.Leave(&p.Epoch, word, r)
		if step.Move {
			now = now.OrNow()
			next := b.nextOrGiveBack(p, step, now)
			if p.seal(word) {
				b.count(r)
				b.follow(ctx, p, next, now, err)
				return
			}
		} else if step.Word == word || p.word.CompareAndSwap(word, step.Word) {
			b.count(r)
			return
		}
	}
}

// watch completes r, the result of a call that counts, and returns the clock reading that this took, if any.
func (b *Breaker) watch(p *period, token uint64, r *core.Result, err error) clock.Instant {
	now := clock.Unread
	var took core.Stamp
	if b.timed {
		now = clock.Now()
		took = core.Stamp(token >> (64 - core.StampBits))
		r.Slow = b.slowAfter > 0 && took.Took(int64(now)) >= b.slowAfter
	}
	switch {
	case p.window != nil:
		if b.machine.Rate.Time > 0 {
			now = now.OrNow()
		}
		r.Trips = p.window.count(int64(now), r.Verdict == mettle.Failure, r.Slow)
	case p.detector != nil:
		r.Trips = p.detector.Trips(Outcome{
			Err: err, Failed: r.Verdict == mettle.Failure, Took: took.Took(int64(now)), At: now.Time(),
		})
	}
	return now
}

// nextOrGiveBack is next for a probe that decides. Where the function given to Custom panics, or ends its goroutine, the
// probe's place comes back as if it had been ignored.
func (b *Breaker) nextOrGiveBack(p *period, step core.Step, now clock.Instant) (next *period) {
	if b.detector != nil {
		defer func() {
			if next == nil {
				b.giveBack(p)
			}
		}()
	}
	return b.next(p, step, now)
}

func (b *Breaker) giveBack(p *period) {
	for {
		word := p.word.Load()
		if word&core.Sealed != 0 {
			return
		}
		step := b.machine.Leave(&p.Epoch, word, core.Result{Verdict: mettle.Ignore})
		if p.word.CompareAndSwap(word, step.Word) {
			return
		}
	}
}

func (b *Breaker) count(r core.Result) {
	if r.Verdict == mettle.Ignore {
		return
	}
	b.calls.Add(1)
	if r.Verdict == mettle.Failure {
		b.failures.Add(1)
	}
	if r.Slow {
		b.slow.Add(1)
	}
}
