package queue

import (
	"context"
	"iter"

	"github.com/mettle-go/mettle/internal/mark"
)

// Done tells that an item that was got has been processed. Queues whose Wait nobody calls need no Done. It panics if
// there were more Dones than items got.
func (q *Queue[T]) Done() { q.finish(1) }

// Wait returns nil as soon as nothing is unfinished: every item put has been got and its Done called. It returns an
// error that is both ctx's and its cause if ctx ends first. Items may be put in the meantime; Wait waits for them too.
func (q *Queue[T]) Wait(ctx context.Context) error {
	if q.finished() {
		return nil
	}
	done := ctx.Done() // before the Dones have to look for somebody: it may panic
	idle := q.joiner()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-done:
		return mark.Ended(ctx)
	}
}

// joiner announces somebody who waits and returns the channel that is closed when nothing is unfinished; or nil if
// that is so by now. A Done counts first and then looks for joiners, so that one which missed this one is seen.
func (q *Queue[T]) joiner() <-chan struct{} {
	q.join.Lock()
	defer q.join.Unlock()
	if q.idle == nil {
		q.idle = make(chan struct{})
		q.joiners.Store(true)
	}
	if q.finished() {
		return nil
	}
	return q.idle
}

// All returns the items as they come, each gotten as by Get, until the queue is closed and empty or ctx has ended;
// ctx.Err tells which. Each item is Done when the loop's body is through with it, also when it breaks out, returns or
// panics. The iterator may be used by several goroutines at once, and again: each item goes to one of them.
func (q *Queue[T]) All(ctx context.Context) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, err := q.Get(ctx)
			if err != nil || !q.process(yield, v) {
				return
			}
		}
	}
}

func (q *Queue[T]) process(yield func(T) bool, v T) bool {
	defer q.Done()
	return yield(v)
}

// finish counts n items as done.
func (q *Queue[T]) finish(n uint64) {
	for {
		done := q.done.Load()
		if done+n > q.out.count.Load() {
			panic("queue: Done: more often than items were got")
		}
		if q.done.CompareAndSwap(done, done+n) {
			break
		}
	}
	if q.joiners.Load() && q.finished() {
		q.tellJoiners()
	}
}

// tellJoiners ends the Waits if nothing is unfinished, still: somebody may have come to Wait since the caller looked,
// for an item that was put since.
func (q *Queue[T]) tellJoiners() {
	q.join.Lock()
	defer q.join.Unlock()
	if q.idle != nil && q.finished() {
		close(q.idle)
		q.idle = nil
		q.joiners.Store(false)
	}
}

// finished tells whether nothing is unfinished.
func (q *Queue[T]) finished() bool {
	// In this order: done never passes the count, so if they are the same now, they were all the while in between.
	done := q.done.Load()
	return done == q.in.count.Load()
}
