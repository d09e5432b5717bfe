package queue

import "github.com/mettle-go/mettle/internal/waitq"

// Close ends the Puts: those that wait and those to come return ErrClosed, and their items are not in the queue. What
// is in it can still be got; once it is empty, Gets return ErrClosed. A second Close does nothing.
func (q *Queue[T]) Close() {
	q.shut()
	q.release(false)
}

// CloseNow is Close and takes what is left: it returns the items that nobody will get any more, in their order, or nil
// if there are none. They count as done, since they are the caller's now. It may follow a Close to end its draining.
func (q *Queue[T]) CloseNow() []T {
	q.shut()
	return q.release(true)
}

// shut turns away all Puts.
func (q *Queue[T]) shut() {
	q.in.mu.Lock()
	q.closed.Store(true)
	var out waitq.Batch[T]
	for w := q.in.line.Front(); w != nil; w = q.in.line.Front() {
		q.in.line.Dismiss(w, &out)
	}
	q.putters.Store(false)
	q.in.mu.Unlock()
	out.Wake()
}

// release turns away the Gets that will never be served, since q is shut. If it is to take all, it returns what the
// others leave.
func (q *Queue[T]) release(all bool) (rest []T) {
	var out waitq.Batch[T]
	q.out.mu.Lock()
	q.feed(&out) // a Put may have brought an item and not seen yet that somebody waits
	for w := q.out.line.Front(); w != nil; w = q.out.line.Front() {
		q.out.line.Dismiss(w, &out)
	}
	q.getters.Store(false)
	for all && q.any() {
		rest = append(rest, q.pop())
	}
	q.out.mu.Unlock()
	out.Wake()
	if len(rest) > 0 {
		q.finish(uint64(len(rest)))
	}
	return rest
}
