package queue

import (
	"context"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/internal/waitq"
)

// There is no spinning before a wait. While the one who was woken gets up, the other side fills or empties the ring,
// and that makes batches of its own accord; spinning was measured to gain nothing except with a tiny ring, and who
// spins has no place in the line.

// waitPut is Put for when there was no room.
func (q *Queue[T]) waitPut(ctx context.Context, v T) error {
	done := ctx.Done() // before anything is in the line: it may panic
	var admitted waitq.Batch[T]
	q.in.mu.Lock()
	if err := q.put(v); err != ErrFull {
		q.in.mu.Unlock()
		q.settle()
		return err
	}
	w, moved := q.linePut(v, &admitted)
	q.in.mu.Unlock()
	if moved {
		admitted.Wake()
		q.settle()
	}
	_, err := q.in.await(ctx, done, w, &q.putters)
	return err // nil, if v got in in the moment in which ctx ended
}

// linePut puts v at the end of those who wait for room, and lets in whom there is room for after all: a Get may have
// made some before it could see that anybody waits. It reports whether there were any. The caller holds in.mu, and
// wakes out without it.
func (q *Queue[T]) linePut(v T, out *waitq.Batch[T]) (w *waitq.Waiter[T], moved bool) {
	w = q.in.line.Push(v)
	q.putters.Store(true)
	return w, q.admit(out)
}

// waitGet is Get for when there was no item.
func (q *Queue[T]) waitGet(ctx context.Context) (v T, err error) {
	done := ctx.Done() // before anything is in the line: it may panic
	var fed waitq.Batch[T]
	q.out.mu.Lock()
	if v, err = q.get(); err != ErrEmpty {
		q.out.mu.Unlock()
		q.settle()
		return v, err
	}
	w, moved := q.lineGet(&fed)
	q.out.mu.Unlock()
	if moved {
		fed.Wake()
		q.settle()
	}
	return q.out.await(ctx, done, w, &q.getters)
}

// lineGet is linePut for a Get. The caller holds out.mu.
func (q *Queue[T]) lineGet(out *waitq.Batch[T]) (w *waitq.Waiter[T], moved bool) {
	var none T
	w = q.out.line.Push(none)
	q.getters.Store(true)
	return w, q.feed(out)
}

// await waits for w's turn and gives w back; waiting is the flag of its side's line. It returns what w holds, with ErrClosed if w was
// turned away, or why ctx ended. A ctx that ends in the very moment of w's turn comes too late, since the item has moved.
func (s *side[T]) await(ctx context.Context, done <-chan struct{}, w *waitq.Waiter[T], waiting *atomic.Bool) (v T, err error) {
	told := w.Wait(done, 0)
	if told == waitq.Ended {
		s.mu.Lock()
		left := s.line.Remove(w)
		if left {
			waiting.Store(s.line.Front() != nil)
			s.line.Recycle(w)
		}
		s.mu.Unlock()
		if left {
			return v, mark.Ended(ctx)
		}
		told = w.Taken()
	}
	v = w.Value
	s.mu.Lock()
	s.line.Recycle(w)
	s.mu.Unlock()
	if told == waitq.Dismissed {
		return v, ErrClosed
	}
	return v, nil
}

// admit moves items from those who wait with them into the ring, while there is room, and reports whether it moved any.
// The caller holds in.mu, and wakes out without it.
func (q *Queue[T]) admit(out *waitq.Batch[T]) (moved bool) {
	w := q.in.line.Front()
	for ; w != nil && q.room(); w = q.in.line.Front() {
		q.push(w.Value)
		q.in.line.Grant(w, out)
		moved = true
	}
	q.putters.Store(w != nil)
	return moved
}

// feed gives items to those who wait for them, while there are any, and reports whether it gave any. The caller holds
// out.mu, and wakes out without it.
func (q *Queue[T]) feed(out *waitq.Batch[T]) (moved bool) {
	w := q.out.line.Front()
	for ; w != nil && q.any(); w = q.out.line.Front() {
		w.Value = q.pop()
		q.out.line.Grant(w, out)
		moved = true
	}
	q.getters.Store(w != nil)
	return moved
}

// settle returns when nobody waits for what is there. Whoever moved an item calls it, since an item that is given out
// makes room for a Put that waits, and its item is one for a Get that does.
func (q *Queue[T]) settle() {
	for {
		var told waitq.Batch[T]
		if q.getters.Load() {
			q.out.mu.Lock()
			q.feed(&told)
			q.out.mu.Unlock()
			told.Wake()
		}
		if !q.putters.Load() {
			return
		}
		q.in.mu.Lock()
		moved := q.admit(&told)
		q.in.mu.Unlock()
		if !moved {
			return
		}
		told.Wake()
	}
}
