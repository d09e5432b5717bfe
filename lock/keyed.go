package lock

import (
	"context"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/internal/waitq"
)

const (
	// maxLines bounds how many lines a Keyed keeps for later.
	maxLines = 16
	// large is from how many entries on a map is thrown away when it is empty, since maps never shrink.
	large = 1 << 10
)

// A Keyed is a Mutex for each key: who locks one key does not wait for those who hold others. A key takes memory only
// while it is locked. The zero Keyed has no key locked and is ready for use. It must not be copied after first use.
type Keyed[K comparable] struct {
	mu    sync.Mutex   // held for some instructions, never while somebody waits for his turn
	held  map[K]*queue // the locked keys; nil while nobody has had to wait
	peak  int          // the most entries that held has had
	lines []*queue     // of keys that are no longer locked
}

// Lock locks k, after waiting for its turn if need be. It returns nil, or, if ctx ends first, an error that is both
// ctx's and its cause; then the caller does not hold k, and nothing is left of his wait.
//
// A free k is locked without a look at ctx, and so is one that is handed over in the very moment in which ctx ends.
// Lock panics if k is not equal to itself, like NaN, since nobody could unlock it.
func (l *Keyed[K]) Lock(ctx context.Context, k K) error {
	if l.TryLock(k) {
		return nil
	}
	done := ctx.Done() // before anything is taken: it may panic
	line, w := l.enter(k)
	if w == nil {
		return nil
	}
	if w.Wait(done, 0) != waitq.Granted {
		if l.leave(line, w) {
			return mark.Ended(ctx)
		}
		w.Taken()
	}
	l.mu.Lock()
	line.Recycle(w)
	l.mu.Unlock()
	return nil
}

// TryLock locks k if it is free, and reports whether it did. It panics if k is not equal to itself.
func (l *Keyed[K]) TryLock(k K) bool {
	l.mu.Lock()
	defer l.mu.Unlock() // hashing a key may panic
	if _, taken := l.held[k]; taken {
		return false
	}
	l.add(k)
	return true
}

// Unlock unlocks k, or hands it to the first who waits for it. Any goroutine may call it, not only the one that locked
// k. It panics if k is not locked.
func (l *Keyed[K]) Unlock(k K) {
	next, taken := l.hand(k)
	if !taken {
		panic(fmt.Sprintf("lock: Unlock of key %v, which is not locked", k))
	}
	next.Wake()
}

// With runs fn while it holds k, and returns fn's error as it is; or it returns the error of Lock, and fn did not run.
// It unlocks k when fn returns, panics, or ends its goroutine by runtime.Goexit.
func (l *Keyed[K]) With(ctx context.Context, k K, fn func() error) error {
	if err := l.Lock(ctx, k); err != nil {
		return err
	}
	defer l.Unlock(k)
	return fn()
}

// Len returns how many keys are locked.
func (l *Keyed[K]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}

// enter locks k, or puts the caller into its line and returns his place there.
func (l *Keyed[K]) enter(k K) (*queue, *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock() // hashing a key may panic
	line, taken := l.held[k]
	if !taken {
		l.add(k)
		return nil, nil
	}
	if line == nil {
		if n := len(l.lines); n > 0 {
			line, l.lines = l.lines[n-1], l.lines[:n-1]
		} else {
			line = new(queue)
		}
		l.held[k] = line
	}
	return line, line.Push(nothing{})
}

// add locks k, which is free. The caller holds mu.
func (l *Keyed[K]) add(k K) {
	if k != k {
		panic(fmt.Sprintf("lock: Lock of key %v, which is not equal to itself", k))
	}
	if l.held == nil {
		l.held = make(map[K]*queue)
	}
	l.held[k] = nil
	l.peak = max(l.peak, len(l.held))
}

// leave takes w out of line and reports whether it was still there. If not, its key has been handed to it.
func (l *Keyed[K]) leave(line *queue, w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !line.Remove(w) {
		return false
	}
	line.Recycle(w)
	return true
}

// hand takes k from its holder and returns to whom it goes, if anybody waits. It reports whether k was locked.
func (l *Keyed[K]) hand(k K) (next batch, taken bool) {
	l.mu.Lock()
	defer l.mu.Unlock() // hashing a key may panic
	line, taken := l.held[k]
	if !taken {
		return next, false
	}
	if line != nil {
		if w := line.Front(); w != nil {
			line.Grant(w, &next)
			return next, true
		}
		if len(l.lines) < maxLines {
			l.lines = append(l.lines, line)
		}
	}
	delete(l.held, k)
	if len(l.held) == 0 && l.peak >= large {
		l.held, l.peak = nil, 0
	}
	return next, true
}
