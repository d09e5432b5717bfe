package ratelimit

import (
	"context"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/mark"
)

// enter admits n calls that come at now, after a wait if need be, or rejects them. It returns the latest clock reading.
func (l *Limiter) enter(ctx context.Context, now clock.Instant, n int) (clock.Instant, error) {
	if n > l.era.Load().most() {
		return now, l.reject(ctx, n, 0)
	}
	within, ended := l.patience(ctx, now, now), false
	if within > 0 && ctx.Err() != nil {
		within, ended = 0, true
	}
	p, wait, ok := l.take(int64(now), n, within)
	if ok && wait > 0 {
		wait, ok, ended = l.wait(ctx, &p, now)
		now = clock.Unread
		if ok {
			l.waits.Add(1)
		}
	}
	switch {
	case ended && !ok:
		err := mettle.Reject(kind, l.name, mark.Ended(ctx), nil)
		l.tell(ctx, err, 0)
		return now, err
	case !ok:
		return now, l.reject(ctx, n, wait)
	}
	l.admitted.Add(1)
	return now, nil
}

// patience returns how much longer than now one who came at came waits at most. A call that could only begin when its context ends is not
// waited for.
func (l *Limiter) patience(ctx context.Context, came, now clock.Instant) int64 {
	if l.maxWait == 0 {
		return 0
	}
	within := l.maxWait - int64(now.Sub(came))
	if deadline, ok := ctx.Deadline(); ok {
		within = min(within, max(0, int64(deadline.Sub(now.Time())))-1) // Sub saturates: one less might be the longest time of all
	}
	return max(0, within)
}

// wait waits until the calls that have p, and came at now, may begin. If they may not, because ctx ended or because the rate was
// changed and they had to wait for so long now, they have given p back.
func (l *Limiter) wait(ctx context.Context, p *place, now clock.Instant) (wait int64, ok, ended bool) {
	l.waiting.Add(1)
	w := l.sit()
	defer func() {
		l.waiting.Add(-1)
		l.rise(w)
		if !ok { // also if one of ctx's methods panics
			l.cancel(p, int64(clock.Now()))
		}
	}()
	for came := now; ; now = clock.Now() {
		changed, left, there := l.watch(p, now)
		switch {
		case !there || left > l.patience(ctx, came, now):
			return left, false, false
		case left == 0:
			return 0, true, false
		}
		switch w.wait(ctx, left, changed) {
		case over:
			return 0, false, true
		case due:
			if p.era == l.era.Load() {
				return 0, true, false
			}
		}
	}
}

// watch returns how long the calls that have p have to wait from now on, and what is closed when that changes.
func (l *Limiter) watch(p *place, now clock.Instant) (changed <-chan struct{}, left int64, there bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if left, there = p.left(int64(now)); !there || left == 0 {
		return nil, left, there
	}
	if p.era.changed == nil {
		p.era.changed = make(chan struct{})
	}
	return p.era.changed, left, true
}

// A waiter is what one who waits needs. A Limiter keeps its own for those who wait later, and not in a sync.Pool of the package: the
// timers may belong to a testing/synctest bubble and must not reach another one.
type waiter struct {
	timer *time.Timer
	next  *waiter
}

// maxSpare bounds how many waiters a Limiter keeps: some hundred kilobytes at most.
const maxSpare = 1024

// sit returns a waiter.
func (l *Limiter) sit() *waiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.spare
	if w == nil {
		return &waiter{}
	}
	l.spare = w.next
	l.spares--
	return w
}

// rise keeps w for another.
func (l *Limiter) rise(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spares < maxSpare {
		w.next = l.spare
		l.spare = w
		l.spares++
	}
}

// An outcome is how a wait ended.
type outcome uint8

const (
	due   outcome = iota // the time has passed
	over                 // the context has ended
	moved                // the rate was changed
)

func (w *waiter) wait(ctx context.Context, d int64, changed <-chan struct{}) outcome {
	done := ctx.Done()
	if w.timer == nil {
		w.timer = time.NewTimer(time.Duration(d))
	} else {
		w.timer.Reset(time.Duration(d))
	}
	defer w.timer.Stop()
	select {
	case <-w.timer.C:
		return due
	case <-done:
		return over
	case <-changed:
		return moved
	}
}
