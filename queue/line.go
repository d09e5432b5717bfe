package queue

import "context"

// maxSpare bounds how many waiters a line keeps for later.
const maxSpare = 1024

// A line holds the Puts or the Gets that wait, in the order in which they came. Its owner's lock guards it.
//
// Used waiters are kept in the line itself and not in a sync.Pool of the package: their channels may belong to a
// testing/synctest bubble and must not reach another one.
type line[T any] struct {
	front, back *waiter[T]
	spare       *waiter[T] // linked by next
	spares      int
}

// A waiter is the place of one Put or Get in its line.
type waiter[T any] struct {
	turn       chan struct{} // of one, so that waking never blocks
	value      T             // what a Put brings, or a Get was given
	served     bool          // not turned away by Close; set before turn
	queued     bool
	prev, next *waiter[T]
}

// push returns a waiter at the back of l.
func (l *line[T]) push() *waiter[T] {
	w := l.spare
	if w == nil {
		w = &waiter[T]{turn: make(chan struct{}, 1)}
	} else {
		l.spare = w.next
		l.spares--
	}
	w.queued, w.served, w.prev, w.next = true, false, l.back, nil
	if l.back == nil {
		l.front = w
	} else {
		l.back.next = w
	}
	l.back = w
	return w
}

// remove takes w out of l and reports whether it was still there. If not, its turn has come.
func (l *line[T]) remove(w *waiter[T]) bool {
	if !w.queued {
		return false
	}
	if w.prev == nil {
		l.front = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.back = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.queued, w.prev, w.next = false, nil, nil
	return true
}

// recycle keeps w, which must be out of the line and have had its turn if one was coming, for a later push.
func (l *line[T]) recycle(w *waiter[T]) {
	var zero T
	w.value = zero // it may hold memory
	if l.spares == maxSpare {
		return
	}
	w.next = l.spare
	l.spare = w
	l.spares++
}

// wait returns true at w's turn, and false if ctx ended first.
func (w *waiter[T]) wait(ctx context.Context) bool {
	select {
	case <-w.turn:
		return true
	case <-ctx.Done():
		return false
	}
}

// A batch is a list of waiters whose turn has come and who are yet to be told.
type batch[T any] struct{ first, last *waiter[T] }

// pop moves the front of l to b.
func (b *batch[T]) pop(l *line[T]) *waiter[T] {
	w := l.front
	l.remove(w)
	if b.last == nil {
		b.first = w
	} else {
		b.last.next = w
	}
	b.last = w
	return w
}

// wake tells all of b, and reports whether there was anybody. The caller should hold no lock, so that those who wake do
// not run into it.
func (b *batch[T]) wake() bool {
	for w := b.first; w != nil; {
		next := w.next // w is its owner's as soon as it is told
		w.turn <- struct{}{}
		w = next
	}
	return b.first != nil
}
