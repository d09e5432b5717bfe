package breaker

import (
	"context"
	"errors"
	"time"

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

// succeed is leave for a success in a period with a window. It is apart because it is what most calls are.
func (b *Breaker) succeed(ctx context.Context, p *period, token uint64) {
	now, slow := clock.Unread, false
	if b.timed {
		now = clock.Now()
		slow = took(token, now) >= b.slowAfter
	} else if b.machine.Rate.Time > 0 {
		now = clock.Now()
	}
	if p.window.count(int64(now), false, slow) {
		b.settle(ctx, p, core.Result{Verdict: mettle.Success, Slow: slow, Trips: true}, now, nil)
		return
	}
	b.calls.Add(1)
	if slow {
		b.slow.Add(1)
	}
}

func (b *Breaker) leave(ctx context.Context, p *period, token uint64, verdict mettle.Verdict, err error) {
	if p.word.Load()&core.Sealed != 0 {
		return
	}
	r := core.Result{Verdict: verdict}
	now := clock.Unread
	if verdict != mettle.Ignore {
		if b.timed {
			now = clock.Now()
			r.Slow = b.slowAfter > 0 && took(token, now) >= b.slowAfter
		}
		switch {
		case p.window != nil:
			if b.machine.Rate.Time > 0 {
				now = now.OrNow()
			}
			if !p.window.count(int64(now), verdict == mettle.Failure, r.Slow) {
				b.count(r) // Machine.Leave would change nothing
				return
			}
			r.Trips = true
		case p.detector != nil:
			r.Trips = p.detector.Trips(Outcome{
				Err: err, Failed: verdict == mettle.Failure, Took: took(token, now), At: now.Time(),
			})
		}
	}
	b.settle(ctx, p, r, now, err)
}

// took returns how long the call has taken whose token says when it began.
func took(token uint64, now clock.Instant) time.Duration {
	return core.Stamp(token >> (64 - core.StampBits)).Took(int64(now))
}

// settle applies what the machine makes of r.
func (b *Breaker) settle(ctx context.Context, p *period, r core.Result, now clock.Instant, err error) {
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
