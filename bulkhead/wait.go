package bulkhead

import (
	"context"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/internal/waitq"
)

// wait takes a place in the queue, unless things have changed since the caller looked, and waits there.
func (b *Bulkhead) wait(ctx context.Context, now clock.Instant) (uint64, clock.Instant, error) {
	w, answer := b.line(ctx)
	switch {
	case answer == core.Full:
		return 0, now, b.reject(ctx, b.full)
	case answer == core.Admitted:
		b.admitted.Add(1)
		return 0, now, nil
	case w == nil:
		return 0, now, b.reject(ctx, b.interrupted(ctx))
	}
	return b.waited(ctx, w, w.Wait(ctx, b.maxWait))
}

// waited says what comes of a Wait that ended by outcome.
func (b *Bulkhead) waited(ctx context.Context, w *waitq.Waiter, outcome waitq.Outcome) (uint64, clock.Instant, error) {
	if outcome != waitq.Granted && b.quit(w) {
		if outcome == waitq.Late {
			return 0, clock.Unread, b.reject(ctx, b.late)
		}
		return 0, clock.Unread, b.reject(ctx, b.interrupted(ctx))
	}
	b.mu.Lock()
	b.queue.Recycle(w)
	b.mu.Unlock()
	if outcome == waitq.Ended {
		// The place came in the very moment in which the caller left.
		b.Release(ctx, 0, nil)
		return 0, clock.Unread, b.reject(ctx, b.interrupted(ctx))
	}
	b.admitted.Add(1)
	b.waits.Add(1)
	return 0, clock.Unread, nil
}

// line puts the caller into the queue. The waiter is nil if he is not queued, or would be but for his
// context, which has ended.
func (b *Bulkhead) line(ctx context.Context) (*waitq.Waiter, core.Answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		word := b.word.Load()
		next, answer := b.machine.Enter(word)
		if answer == core.Full || answer == core.Queued && ctx.Err() != nil {
			return nil, answer
		}
		if !b.word.CompareAndSwap(word, next) {
			continue
		}
		if answer == core.Admitted {
			return nil, answer
		}
		return b.queue.Push(), answer
	}
}

// quit takes w out of the queue and reports whether it was still there. If not, w has been given a place.
func (b *Bulkhead) quit(w *waitq.Waiter) bool {
	b.mu.Lock()
	waiting := b.queue.Remove(w)
	if waiting {
		b.word.Store(core.Quit(b.word.Load()))
		b.queue.Recycle(w)
	}
	b.mu.Unlock()
	if !waiting {
		w.Taken()
	}
	return waiting
}

// hand gives a place whose owner has left to the first in the queue. It reports false if nobody waits any more.
func (b *Bulkhead) hand() bool {
	b.mu.Lock()
	w := b.queue.Pop()
	if w != nil {
		b.word.Store(core.Handed(b.word.Load()))
	}
	b.mu.Unlock()
	if w == nil {
		return false
	}
	w.Grant()
	return true
}

// interrupted returns the error of a caller whose context ended before he got a place.
func (b *Bulkhead) interrupted(ctx context.Context) *mettle.RejectedError {
	return mettle.Reject(kind, b.name, mark.Ended(ctx), nil)
}
