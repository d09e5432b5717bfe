// Package waitq is a queue of goroutines that wait for something to be handed to them.
//
// Its owner decides who is next, under a lock of its own, and wakes after the lock is free again:
//
//	mu.Lock()
//	w := queue.Push(want)
//	mu.Unlock()
//	outcome := w.Wait(done, limit)      // by whoever waits
//
//	var out waitq.Batch[T]
//	mu.Lock()
//	queue.Grant(queue.Front(), &out)    // by whoever has something to give
//	mu.Unlock()
//	out.Wake()
//
// A waiter whose Wait ends by itself asks Remove, under the lock, whether it was still in the queue. If not, it has been
// handed something in that very moment: Taken tells what.
package waitq

import "time"

// maxSpare bounds how many waiters a queue keeps for later: enough for any queue that is not itself the
// problem, and a few hundred kilobytes at most.
const maxSpare = 1024

// A Queue holds waiters in the order in which they came. It has no lock: its owner's guards every method. The zero Queue
// is empty and ready for use. All methods take constant time.
//
// Used waiters are kept in the Queue itself and not in a sync.Pool of the package: their channels and timers
// may belong to a testing/synctest bubble and must not reach another one.
type Queue[T any] struct {
	front, back *Waiter[T]
	spare       *Waiter[T] // linked by next
	spares      int
}

// A Waiter is one goroutine's place in a queue.
type Waiter[T any] struct {
	// Value is the owner's: what the waiter wants, or what it is given. Written before Wake, it may be read after Wait or Taken.
	Value T

	turn       chan struct{} // of one, so that Wake never blocks
	told       Outcome       // Granted or Dismissed, once out of the queue
	timer      *time.Timer   // made by the first Wait that has a limit
	prev, next *Waiter[T]
	queued     bool
}

// An Outcome is how a Wait ended.
type Outcome uint8

const (
	Granted   Outcome = iota // by a Grant
	Dismissed                // by a Dismiss
	Ended                    // by done: whoever waits has no more time
	Late                     // by the limit
)

// Push returns a waiter that stands at the back of q.
func (q *Queue[T]) Push(value T) *Waiter[T] {
	w := q.spare
	if w == nil {
		w = &Waiter[T]{turn: make(chan struct{}, 1)}
	} else {
		q.spare = w.next
		q.spares--
	}
	w.Value, w.queued, w.prev, w.next = value, true, q.back, nil
	if q.back == nil {
		q.front = w
	} else {
		q.back.next = w
	}
	q.back = w
	return w
}

// Front returns who has waited longest, or nil if nobody waits.
func (q *Queue[T]) Front() *Waiter[T] { return q.front }

// Back returns who came last, or nil if nobody waits.
func (q *Queue[T]) Back() *Waiter[T] { return q.back }

// Behind returns who came next after w, which must be in q, or nil if nobody did.
func (q *Queue[T]) Behind(w *Waiter[T]) *Waiter[T] { return w.next }

// Remove takes w out of q, wherever it stands, and reports whether it was still there. If not, it was granted something or dismissed.
func (q *Queue[T]) Remove(w *Waiter[T]) bool {
	if !w.queued {
		return false
	}
	if w.prev == nil {
		q.front = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.back = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queued, w.prev, w.next = false, nil, nil
	return true
}

// Recycle keeps w, which must be out of the queue and have heard what it was told, for a later Push.
func (q *Queue[T]) Recycle(w *Waiter[T]) {
	var none T
	w.Value = none
	if q.spares == maxSpare {
		return
	}
	w.next = q.spare
	q.spare = w
	q.spares++
}

// Grant takes w, which must be in q, out of it and puts it into out: its turn has come.
func (q *Queue[T]) Grant(w *Waiter[T], out *Batch[T]) { q.tell(w, Granted, out) }

// Dismiss takes w, which must be in q, out of it and puts it into out: it need not wait any longer.
func (q *Queue[T]) Dismiss(w *Waiter[T], out *Batch[T]) { q.tell(w, Dismissed, out) }

func (q *Queue[T]) tell(w *Waiter[T], what Outcome, out *Batch[T]) {
	q.Remove(w)
	w.told = what
	if out.last == nil {
		out.first = w
	} else {
		out.last.next = w
	}
	out.last = w
}

// A Batch holds waiters that have been granted something or dismissed, but not yet been woken. The zero Batch is empty.
type Batch[T any] struct{ first, last *Waiter[T] }

// Wake ends the Wait of all waiters in b, in the order in which they were put there, and empties b. It must be called once the
// owner's lock is free, or those who wake would run into it; it never blocks.
func (b *Batch[T]) Wake() {
	for w := b.first; w != nil; {
		next := w.next // before w wakes and is used again
		w.next = nil
		w.turn <- struct{}{}
		w = next
	}
	b.first, b.last = nil, nil
}

// Wait waits until w is granted something or dismissed, but not longer than limit, 0 meaning until done is closed. After Ended and Late
// w is still in the queue or on its way out: see Remove and Taken.
//
// It takes a channel and no context, whose Done is somebody else's code: should that panic, it must do so before the Push, or the
// waiter would stay in the queue for good.
func (w *Waiter[T]) Wait(done <-chan struct{}, limit time.Duration) Outcome {
	var late <-chan time.Time
	if limit > 0 {
		if w.timer == nil {
			w.timer = time.NewTimer(limit)
		} else {
			w.timer.Reset(limit)
		}
		defer w.timer.Stop()
		late = w.timer.C
	}
	select {
	case <-w.turn:
		return w.told
	case <-done:
		return Ended
	case <-late:
		return Late
	}
}

// Taken returns what a waiter was told whose Wait ended by itself but whom Remove did not find any more. It waits at most for the Wake
// that is on its way.
func (w *Waiter[T]) Taken() Outcome {
	<-w.turn
	return w.told
}
