package lock

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/internal/waitq"
)

// What is handed over in a line is the lock itself: there is no value to go with it.
type (
	nothing = struct{}
	queue   = waitq.Queue[nothing]
	waiter  = waitq.Waiter[nothing]
	batch   = waitq.Batch[nothing]
)

// The values of Mutex.word. What somebody waits for is locked: Unlock hands it over.
const (
	free      = iota
	locked    // and nobody waits
	contended // and somebody waits; then only who holds mu changes the word
)

// A Mutex is a lock whose Lock takes a context and whose waiters get it strictly in the order in which they came. The
// zero Mutex is unlocked and ready for use. It must not be copied after first use.
type Mutex struct {
	word    atomic.Uint32
	mu      sync.Mutex // held for some instructions, never while somebody waits for his turn
	queue   queue
	waiters int // in queue
}

// Lock locks m, after waiting for its turn if need be. It returns nil, or, if ctx ends first, an error that is both
// ctx's and its cause; then the caller does not hold m, and nothing is left of his wait.
//
// A free m is locked without a look at ctx, and so is one that is handed over in the very moment in which ctx ends.
func (m *Mutex) Lock(ctx context.Context) error {
	if m.word.CompareAndSwap(free, locked) {
		return nil
	}
	return m.wait(ctx)
}

// TryLock locks m if it is free, and reports whether it did.
func (m *Mutex) TryLock() bool { return m.word.CompareAndSwap(free, locked) }

// Unlock unlocks m, or hands it to the first who waits. Any goroutine may call it, not only the one that locked m.
// It panics if m is not locked.
func (m *Mutex) Unlock() {
	if !m.word.CompareAndSwap(locked, free) {
		m.hand()
	}
}

// With runs fn while it holds m, and returns fn's error as it is; or it returns the error of Lock, and fn did not run.
// It unlocks m when fn returns, panics, or ends its goroutine by runtime.Goexit.
func (m *Mutex) With(ctx context.Context, fn func() error) error {
	if err := m.Lock(ctx); err != nil {
		return err
	}
	defer m.Unlock()
	return fn()
}

// wait is Lock for when m was not free.
func (m *Mutex) wait(ctx context.Context) error {
	done := ctx.Done() // before anything is taken: it may panic
	m.mu.Lock()
	// In two steps, since m may come free in between as long as nobody waits.
	for !m.word.CompareAndSwap(locked, contended) && m.word.Load() != contended {
		if m.word.CompareAndSwap(free, locked) {
			m.mu.Unlock()
			return nil
		}
	}
	w := m.queue.Push(nothing{})
	m.waiters++
	m.mu.Unlock()

	if w.Wait(done, 0) != waitq.Granted {
		if m.leave(w) {
			return mark.Ended(ctx)
		}
		w.Taken()
	}
	m.mu.Lock()
	m.queue.Recycle(w)
	m.mu.Unlock()
	return nil
}

// leave takes w out of the queue and reports whether it was still there. If not, m has been handed to it.
func (m *Mutex) leave(w *waiter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.queue.Remove(w) {
		return false
	}
	m.fewer()
	m.queue.Recycle(w)
	return true
}

// hand is Unlock for when somebody waits, or did when Unlock looked.
func (m *Mutex) hand() {
	var next batch
	held := true
	m.mu.Lock()
	if w := m.queue.Front(); w != nil {
		m.queue.Grant(w, &next)
		m.fewer()
	} else {
		held = m.word.CompareAndSwap(locked, free) // while nobody can come to wait, which would change the word
	}
	m.mu.Unlock()
	if !held {
		panic("lock: Unlock of a Mutex that is not locked")
	}
	next.Wake()
}

// fewer notes that somebody has left the queue, in whatever way. The caller holds mu.
func (m *Mutex) fewer() {
	if m.waiters--; m.waiters == 0 {
		m.word.Store(locked)
	}
}
