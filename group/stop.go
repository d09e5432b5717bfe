package group

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// ErrStopped is why a scope was canceled, or tasks were never started, after a Stop. It is then Error.Cause, the
// *Error is ErrStopped to errors.Is, and so is the context.Cause that the tasks see.
var ErrStopped = errors.New("group: stopped")

// stop is the part of a Group that Stop is about. Guarded by scope.mu, except asked.
type stop struct {
	asked  atomic.Bool // set with scope.mu held
	hint   context.Context
	close  context.CancelFunc // of hint
	timer  *time.Timer        // until the grace is over
	at     clock.Instant      // when the timer fires
	timers sync.WaitGroup     // of timers that may fire
	over   bool               // no task is left that could be stopped
}

// Stop ends the scope in an orderly way: it closes Stopping, so that tasks that watch it can finish what they are at and
// return, and cancels the scope after the grace, at once if that is 0, with the cause ErrStopped. It returns at once.
//
// After Stop no task is started, also none of those that are queued, and a Go that waits for a place returns. Tasks that
// were never started because of it, and those that return the cancellation after the grace, make Run return an *Error
// whose Cause is ErrStopped, unless a failure or the end of the caller's context canceled the scope before the grace was over. If
// there are none of either, and nothing failed, Run returns nil.
//
// Stop may be called from the body, from any task and from elsewhere. Called again it can only shorten the grace; called
// after Run has returned it does nothing, so that whoever stops a scope from outside need not know whether it has ended.
// It panics if grace is negative.
func (g *Group) Stop(grace time.Duration) {
	if grace < 0 {
		panic(fmt.Sprintf("group: Stop: grace is %v, want 0 or more", grace))
	}
	g.mu.Lock()
	if g.stop.over {
		g.mu.Unlock()
		return
	}
	if g.stopped == nil {
		g.stopped = &cause{ErrStopped}
		g.stop.asked.Store(true)
		g.drop()
		g.letGo()
	}
	if grace > 0 {
		g.arm(grace)
	}
	why, hush := g.stopped, g.stop.close
	g.mu.Unlock()
	if hush != nil {
		hush()
	}
	if grace == 0 {
		g.cancel(why)
	}
}

// Stopping returns a channel that is closed by Stop, and also when the scope is canceled or ends, so that a task that
// waits for its time to finish has only this one channel to look at:
//
//	select {
//	case <-g.Stopping():
//		return nil
//	case job := <-jobs:
//		…
//	}
//
// The first call costs what context.WithCancel does, further ones a lock.
func (g *Group) Stopping() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stop.hint == nil {
		g.stop.hint, g.stop.close = context.WithCancel(g.ctx)
		if g.stopped != nil {
			g.stop.close()
		}
	}
	return g.stop.hint.Done()
}

// arm sets the timer that cancels the scope after the grace, unless it is set to an earlier time. The caller holds
// g.mu.
func (g *Group) arm(grace time.Duration) {
	at := clock.Now().Add(grace)
	if g.stop.timer != nil {
		if g.stop.at <= at || !g.stop.timer.Stop() {
			return
		}
		g.stop.timers.Done()
	}
	g.stop.at = at
	g.stop.timers.Add(1)
	why := g.stopped
	g.stop.timer = time.AfterFunc(grace, func() {
		defer g.stop.timers.Done()
		g.cancel(why)
	})
}

// disarm ends the timer, once all tasks have ended. If it has just fired, its goroutine is waited for.
func (g *Group) disarm() {
	g.mu.Lock()
	g.stop.over = true
	if g.stop.timer != nil && g.stop.timer.Stop() {
		g.stop.timers.Done()
	}
	g.mu.Unlock()
	g.stop.timers.Wait()
}
