// Package waitq is a queue of goroutines that wait for something to be handed to them.
package waitq

import (
	"context"
	"time"
)

// maxSpare bounds how many waiters a queue keeps for later: enough for any queue that is not itself the
// problem, and a few hundred kilobytes at most.
const maxSpare = 1024

// A Queue holds waiters in the order in which they came. It has no lock: its owner's guards every method, and
// the Waiters' Remove and Recycle with them. The zero Queue is empty and ready for use.
//
// Used waiters are kept in the Queue itself and not in a sync.Pool of the package: their channels and timers
// may belong to a testing/synctest bubble and must not reach another one.
type Queue struct {
	front, back *Waiter
	spare       *Waiter // linked by next
	spares      int
}

// A Waiter is one goroutine's place in a queue.
type Waiter struct {
	turn       chan struct{} // of one, so that Grant never blocks
	timer      *time.Timer   // made by the first Wait that has a limit
	prev, next *Waiter
	queued     bool
}

// Push returns a waiter that stands at the back of q.
func (q *Queue) Push() *Waiter {
	w := q.spare
	if w == nil {
		w = &Waiter{turn: make(chan struct{}, 1)}
	} else {
		q.spare = w.next
		q.spares--
	}
	w.queued, w.prev, w.next = true, q.back, nil
	if q.back == nil {
		q.front = w
	} else {
		q.back.next = w
	}
	q.back = w
	return w
}

// Pop takes the waiter at the front out of q. It returns nil if nobody waits. Whoever pops a waiter owes it a Grant.
func (q *Queue) Pop() *Waiter {
	w := q.front
	if w != nil {
		q.Remove(w)
	}
	return w
}

// Remove takes w out of q, wherever it stands, and reports whether it was still there. If not, a Grant is on its way.
func (q *Queue) Remove(w *Waiter) bool {
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

// Recycle keeps w, which must be out of the queue and owed nothing, for a later Push.
func (q *Queue) Recycle(w *Waiter) {
	if q.spares == maxSpare {
		return
	}
	w.next = q.spare
	q.spare = w
	q.spares++
}

// Grant ends w's Wait. It needs no lock and never blocks.
func (w *Waiter) Grant() { w.turn <- struct{}{} }

// An Outcome is how a Wait ended.
type Outcome uint8

const (
	Granted Outcome = iota // by a Grant
	Ended                  // by the end of the context
	Late                   // by the limit
)

// Wait waits for w's Grant, but not longer than limit, 0 meaning as long as ctx allows. After any other
// outcome than Granted a Grant may be on its way: see Remove, and receive it by Taken.
func (w *Waiter) Wait(ctx context.Context, limit time.Duration) Outcome {
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
		return Granted
	case <-ctx.Done():
		return Ended
	case <-late:
		return Late
	}
}

// Taken receives the Grant of a waiter that is popped and whose Wait ended otherwise.
func (w *Waiter) Taken() { <-w.turn }
