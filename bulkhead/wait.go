package bulkhead

import (
	"context"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
	"github.com/mettle-go/mettle/internal/core/quantile"
	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/internal/waitq"
)

type (
	waiter = waitq.Waiter[int64] // its value is its weight
	batch  = waitq.Batch[int64]
)

// wait takes a place in the queue, unless things have changed since the caller looked, and waits there.
func (b *Bulkhead) wait(ctx context.Context, now clock.Instant, n int64) (clock.Instant, error) {
	// The context is the caller's code. It must not run under the lock, and must not panic once he stands in the queue.
	done := ctx.Done()
	w, answer := b.line(n, ctx.Err() != nil)
	switch {
	case answer == core.Full:
		return now, b.reject(ctx, b.full)
	case answer == core.Admitted:
		b.admitted.Add(1)
		return now, nil
	case w == nil:
		return now, b.reject(ctx, b.interrupted(ctx))
	}
	begun := now.OrNow()
	outcome := w.Wait(done, b.maxWait)
	end := clock.Now()
	b.waits.Record(int64(end.Sub(begun)))
	return end, b.waitedFor(ctx, w, n, outcome)
}

// line puts a caller of weight n into the queue. The waiter is nil if he is not queued, or would be but for his context, which has ended.
func (b *Bulkhead) line(n int64, ended bool) (*waiter, core.Answer) {
	var out batch
	defer out.Wake() // after the lock
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.limit.Load() {
		return nil, core.Full
	}
	for {
		word := b.word.Load()
		next, answer := b.machine.Enter(word, n)
		if answer == core.Full || answer != core.Admitted && ended {
			return nil, answer
		}
		if !b.word.CompareAndSwap(word, next) {
			continue
		}
		if answer == core.Admitted {
			return nil, answer
		}
		if answer == core.Evicting {
			b.queue.Dismiss(b.queue.Front(), &out)
		}
		if b.waits == nil {
			b.waits = quantile.NewPulled(0.99)
		}
		return b.queue.Push(n), answer
	}
}

// waitedFor says what comes of a Wait for n places that ended by outcome.
func (b *Bulkhead) waitedFor(ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) error {
	told := outcome
	if outcome == waitq.Ended || outcome == waitq.Late {
		told = b.quit(w, outcome)
	}
	admitted := told == waitq.Granted && outcome != waitq.Ended
	if told == waitq.Granted || told == waitq.Dismissed {
		b.mu.Lock()
		b.queue.Recycle(w)
		if admitted {
			b.admitted.Add(1)
			b.waited++
		}
		b.mu.Unlock()
	}
	switch {
	case admitted:
		return nil
	case outcome == waitq.Ended:
		if told == waitq.Granted { // the places came in the very moment in which the caller left
			b.leave(n)
		}
		return b.reject(ctx, b.interrupted(ctx))
	case told == waitq.Dismissed:
		return b.reject(ctx, b.full)
	default:
		return b.reject(ctx, b.late)
	}
}

// quit takes w out of the queue, whose Wait ended by outcome, and returns outcome. If w is not there any more, it returns what w was told.
func (b *Bulkhead) quit(w *waiter, outcome waitq.Outcome) waitq.Outcome {
	b.mu.Lock()
	if !b.queue.Remove(w) {
		b.mu.Unlock()
		return w.Taken()
	}
	b.queue.Recycle(w)
	b.word.Add(core.Gone)
	out := b.settle() // who stood behind w may be light enough for the places that were free
	b.mu.Unlock()
	out.Wake()
	return outcome
}

// pass gives n places back under the lock, where some may go to those who wait.
func (b *Bulkhead) pass(n int64) {
	b.mu.Lock()
	for {
		word := b.word.Load()
		if next, _ := core.Leave(word, n, b.limit.Load()); b.word.CompareAndSwap(word, next) {
			break
		}
	}
	out := b.settle()
	b.mu.Unlock()
	out.Wake()
}

// resize makes the limit n.
func (b *Bulkhead) resize(n int64) {
	b.mu.Lock()
	by := n - b.limit.Load()
	b.word.Add(by)
	b.limit.Store(n)
	var out batch
	if by < 0 {
		b.dismiss(n, &out)
	}
	granted := b.settle() // a lower limit, too, may have removed whom a lighter one waited for
	b.mu.Unlock()
	out.Wake()
	granted.Wake()
}

// dismiss turns away all who wait for more than n places.
func (b *Bulkhead) dismiss(n int64, out *batch) {
	for w := b.queue.Front(); w != nil; {
		behind := b.queue.Behind(w)
		if w.Value > n {
			b.queue.Dismiss(w, out)
			b.word.Add(core.Gone)
		}
		w = behind
	}
}

// settle lets in as many of those who wait, in their order, as there are places for. It runs under the lock.
func (b *Bulkhead) settle() (out batch) {
	for w := b.next(); w != nil; {
		word := b.word.Load()
		next, ok := core.Grant(word, w.Value)
		if !ok {
			break
		}
		if b.word.CompareAndSwap(word, next) {
			b.queue.Grant(w, &out)
			w = b.next()
		}
	}
	return out
}

// next returns whose turn it is, or nil if nobody waits.
func (b *Bulkhead) next() *waiter {
	if b.machine.LIFO {
		return b.queue.Back()
	}
	return b.queue.Front()
}

// interrupted returns the error of a caller whose context ended before he got a place.
func (b *Bulkhead) interrupted(ctx context.Context) *mettle.RejectedError {
	return mettle.Reject(kind, b.name, mark.Ended(ctx), nil)
}
