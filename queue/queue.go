package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/internal/waitq"
)

var (
	// ErrClosed: the queue is closed, and to a Get, empty too.
	ErrClosed = errors.New("queue: closed")
	// ErrFull: TryPut would have to wait.
	ErrFull = errors.New("queue: full")
	// ErrEmpty: TryGet would have to wait.
	ErrEmpty = errors.New("queue: empty")
)

// A Queue hands items from those who Put to those who Get, first in, first out, and holds a bounded number of them in
// between. It is made by New, safe for concurrent use, and must not be copied.
type Queue[T any] struct {
	ring []T

	// Puts and Gets have a lock each, and a cache line or two, so that one does not slow down the other. Who moves an
	// item advances his side's count and then looks whether somebody of the other side waits for that; who has to wait
	// says so first and then looks at the other side's count again. So none misses the other.
	_   apart
	in  side[T]
	_   apart
	out side[T]
	_   apart

	// Read by all and written seldom.
	closed  atomic.Bool // set under in.mu
	putters atomic.Bool // somebody is in in.line; set under in.mu
	getters atomic.Bool // somebody is in out.line; set under out.mu
	joiners atomic.Bool // somebody is in Wait; set under join

	_    apart
	done atomic.Uint64 // items, of those that got out
	join sync.Mutex
	idle chan struct{} // closed when nothing is unfinished; nil if nobody waits for it
}

// apart keeps what stands before it out of the cache lines of what follows, and of the line that is fetched ahead.
type apart [128]byte

// A side is where items get in, or where they get out.
type side[T any] struct {
	mu    sync.Mutex
	next  int            // index in the ring
	seen  uint64         // the other side's count when we last looked
	count atomic.Uint64  // items that ever passed; changes under mu
	line  waitq.Queue[T] // of who waits, with the item that a Put brings or a Get is given
}

// New returns an empty queue that holds up to capacity items. The memory for all of them is taken at once.
// It panics if capacity is below 1.
func New[T any](capacity int) *Queue[T] {
	if capacity < 1 {
		panic(fmt.Sprintf("queue: New: capacity is %d, want 1 or more", capacity))
	}
	return &Queue[T]{ring: make([]T, capacity)}
}

// Put appends v, after waiting for room if need be. It returns nil, or ErrClosed if the queue is or gets closed, or
// an error that is both ctx's and its cause if ctx has ended or ends; after an error v is not in the queue and will
// not be.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if ctx.Err() != nil {
		return mark.Ended(ctx)
	}
	if err := q.TryPut(v); err != ErrFull {
		return err
	}
	return q.waitPut(ctx, v)
}

// TryPut appends v if it need not wait for that. It returns nil, ErrFull or ErrClosed.
func (q *Queue[T]) TryPut(v T) error {
	q.in.mu.Lock()
	err := q.put(v)
	q.in.mu.Unlock()
	if err == nil && q.getters.Load() {
		q.settle()
	}
	return err
}

// Get takes the first item, after waiting for one if need be. It returns ErrClosed once the queue is closed and empty,
// or an error that is both ctx's and its cause if ctx has ended or ends; with an error it took nothing.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	if ctx.Err() != nil {
		var zero T
		return zero, mark.Ended(ctx)
	}
	if v, err := q.TryGet(); err != ErrEmpty {
		return v, err
	}
	return q.waitGet(ctx)
}

// TryGet takes the first item if it need not wait for one. Its error is nil, ErrEmpty or ErrClosed.
func (q *Queue[T]) TryGet() (T, error) {
	q.out.mu.Lock()
	v, err := q.get()
	q.out.mu.Unlock()
	if err == nil && q.putters.Load() {
		q.settle()
	}
	return v, err
}

// Len returns how many items the queue holds: put and not yet got.
func (q *Queue[T]) Len() int {
	// In this order, lest more have got out than in.
	out := q.out.count.Load()
	return min(int(q.in.count.Load()-out), len(q.ring))
}

// Cap returns how many items the queue can hold.
func (q *Queue[T]) Cap() int { return len(q.ring) }

// put is TryPut under in.mu.
func (q *Queue[T]) put(v T) error {
	if q.closed.Load() {
		return ErrClosed
	}
	// Whatever room there is belongs to those who wait.
	if q.in.line.Front() != nil || !q.room() {
		return ErrFull
	}
	q.push(v)
	return nil
}

// get is TryGet under out.mu.
func (q *Queue[T]) get() (v T, err error) {
	shut := q.closed.Load() // first: what any does not see then will never come
	switch {
	case q.out.line.Front() != nil: // whatever is there belongs to those who wait
		return v, ErrEmpty
	case q.any():
		return q.pop(), nil
	case shut:
		return v, ErrClosed
	}
	return v, ErrEmpty
}

// room tells whether there is room for an item. The caller holds in.mu, under which room can only grow.
func (q *Queue[T]) room() bool {
	n, size := q.in.count.Load(), uint64(len(q.ring))
	if n-q.in.seen < size {
		return true
	}
	q.in.seen = q.out.count.Load()
	return n-q.in.seen < size
}

// push appends v. The caller holds in.mu and knows that there is room.
func (q *Queue[T]) push(v T) {
	q.ring[q.in.next] = v
	if q.in.next++; q.in.next == len(q.ring) {
		q.in.next = 0
	}
	q.in.count.Store(q.in.count.Load() + 1)
}

// any tells whether there is an item. The caller holds out.mu, under which there can only be more.
func (q *Queue[T]) any() bool {
	n := q.out.count.Load()
	if n != q.out.seen {
		return true
	}
	q.out.seen = q.in.count.Load()
	return n != q.out.seen
}

// pop takes the first item. The caller holds out.mu and knows that there is one.
func (q *Queue[T]) pop() T {
	var zero T
	v := q.ring[q.out.next]
	q.ring[q.out.next] = zero // it may hold memory
	if q.out.next++; q.out.next == len(q.ring) {
		q.out.next = 0
	}
	q.out.count.Store(q.out.count.Load() + 1)
	return v
}
