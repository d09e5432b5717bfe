package queue

import (
	"context"

	"github.com/mettle-go/mettle/internal/mark"
)

// There is no spinning before a wait. While the one who was woken gets up, the other side fills or empties the ring,
// and that makes batches of its own accord; spinning was measured to gain nothing except with a tiny ring, and who
// spins has no place in the line.

// waitPut is Put for when there was no room.
func (q *Queue[T]) waitPut(ctx context.Context, v T) error {
	q.in.mu.Lock()
	if err := q.put(v); err != ErrFull {
		q.in.mu.Unlock()
		q.settle()
		return err
	}
	w, admitted := q.linePut(v)
	q.in.mu.Unlock()
	if admitted.wake() {
		q.settle()
	}
	if !w.wait(ctx) {
		q.in.mu.Lock()
		left := q.in.line.remove(w)
		if left {
			q.putters.Store(q.in.line.front != nil)
			q.in.line.recycle(w)
		}
		q.in.mu.Unlock()
		if left {
			return mark.Ended(ctx)
		}
		<-w.turn // it came in this very moment, and v is in the queue
	}
	served := w.served
	q.in.mu.Lock()
	q.in.line.recycle(w)
	q.in.mu.Unlock()
	if !served {
		return ErrClosed
	}
	return nil
}

// linePut puts v at the end of those who wait for room, and lets in whom there is room for after all: a Get may have
// made some before it could see that anybody waits. The caller holds in.mu, and wakes the batch without it.
func (q *Queue[T]) linePut(v T) (*waiter[T], batch[T]) {
	w := q.in.line.push()
	w.value = v
	q.putters.Store(true)
	return w, q.admit()
}

// waitGet is Get for when there was no item.
func (q *Queue[T]) waitGet(ctx context.Context) (v T, err error) {
	q.out.mu.Lock()
	if v, err = q.get(); err != ErrEmpty {
		q.out.mu.Unlock()
		q.settle()
		return v, err
	}
	w, fed := q.lineGet()
	q.out.mu.Unlock()
	if fed.wake() {
		q.settle()
	}
	if !w.wait(ctx) {
		q.out.mu.Lock()
		left := q.out.line.remove(w)
		if left {
			q.getters.Store(q.out.line.front != nil)
			q.out.line.recycle(w)
		}
		q.out.mu.Unlock()
		if left {
			return v, mark.Ended(ctx)
		}
		<-w.turn // it came in this very moment, with an item that nobody else will get
	}
	v, served := w.value, w.served
	q.out.mu.Lock()
	q.out.line.recycle(w)
	q.out.mu.Unlock()
	if !served {
		return v, ErrClosed
	}
	return v, nil
}

// lineGet is linePut for a Get. The caller holds out.mu.
func (q *Queue[T]) lineGet() (*waiter[T], batch[T]) {
	w := q.out.line.push()
	q.getters.Store(true)
	return w, q.feed()
}

// admit moves items from those who wait with them into the ring, while there is room. The caller holds in.mu, and
// wakes the batch without it.
func (q *Queue[T]) admit() (b batch[T]) {
	for q.in.line.front != nil && q.room() {
		w := b.pop(&q.in.line)
		w.served = true
		q.push(w.value)
	}
	q.putters.Store(q.in.line.front != nil)
	return b
}

// feed gives items to those who wait for them, while there are any. The caller holds out.mu, and wakes the batch
// without it.
func (q *Queue[T]) feed() (b batch[T]) {
	for q.out.line.front != nil && q.any() {
		w := b.pop(&q.out.line)
		w.served = true
		w.value = q.pop()
	}
	q.getters.Store(q.out.line.front != nil)
	return b
}

// settle returns when nobody waits for what is there. Whoever moved an item calls it, since an item that is given out
// makes room for a Put that waits, and its item is one for a Get that does.
func (q *Queue[T]) settle() {
	for {
		if q.getters.Load() {
			q.out.mu.Lock()
			fed := q.feed()
			q.out.mu.Unlock()
			fed.wake()
		}
		if !q.putters.Load() {
			return
		}
		q.in.mu.Lock()
		admitted := q.admit()
		q.in.mu.Unlock()
		if !admitted.wake() {
			return
		}
	}
}
