package group

import (
	"context"
	"sync/atomic"
)

// A Group starts the tasks of one scope. Run makes it, and it ends with Run. Its methods are safe for concurrent use,
// by the body and by the tasks.
type Group struct {
	scope
	limit int // tasks at a time; 0 means no limit
	call  func(ctx context.Context, fn func(context.Context) error) error

	live atomic.Int64  // tasks that have not ended, queued ones too, and 1 for the body; once it is 0 it stays so
	well atomic.Int64  // tasks that succeeded
	idle chan struct{} // closed when live gets to 0

	// With a limit, and guarded by scope.mu. While tasks are queued, running equals limit, so that each of them will be
	// met by the end of another.
	running  int
	first    *queued
	last     *queued
	bodyDone bool

	// Likewise. At most one Go waits at a time, so that all of them can do with one place in the queue and one channel.
	waits   atomic.Bool   // unset by the Go that waited itself, or the next one could take what it is sent
	own     queued        // its task; used again once waits is unset, which is after it has left the queue
	started chan struct{} // of one; lets it return

	stop stop
}

// queued is a task that has no place yet.
type queued struct {
	fn   func(context.Context) error
	next *queued
}

// Run runs body in the caller's goroutine and returns when body and every task that it, or another task, started by
// g.Go have ended.
//
// The first failure, a task's or the body's, cancels the context of all. Run returns nil if nothing failed and
// nothing was canceled, or else a *Error. A panic of a task becomes a *PanicError in it; one of the body passes
// through, after the tasks were canceled and have ended. Run panics if body is nil.
//
// It is short for RunWith with the zero Config.
func Run(ctx context.Context, body func(g *Group) error) error {
	return RunWith(ctx, Config{}, body)
}

// RunWith is Run as cfg says. It panics if cfg.Validate has an error, cfg.Unordered is set or body is nil.
func RunWith(ctx context.Context, cfg Config, body func(g *Group) error) error {
	cfg.mustBeValid()
	cfg.mustBeOrdered("RunWith")
	if body == nil {
		panic("group: Run: body is nil, want a function")
	}
	g := &Group{limit: cfg.Limit, idle: make(chan struct{})}
	g.live.Store(1)
	if cfg.Policy != nil {
		g.call = cfg.Policy.Do
	}
	g.open(ctx, cfg)
	returned := false
	defer func() {
		if !returned {
			g.cancel(errBody)
			g.wait()
		}
	}()
	err := body(g)
	how := g.judge(err)
	returned = true
	if how != succeeded {
		g.count(how)
		g.add(how, err)
	}
	g.wait()
	g.succeeded = int(g.well.Load())
	if e := g.close(); e != nil {
		e.ran = true // the body did
		return e
	}
	return nil
}

// Context returns the scope's context: the one that tasks get. It ends when the scope is canceled, with the failure
// that did it, the parent's cause or ErrStopped as its context.Cause; at the latest when Run returns.
func (g *Group) Context() context.Context { return g.ctx }

// Go runs fn as a task of the scope, in a goroutine of its own.
//
// Once the scope is stopped or canceled, Go starts nothing, and the task counts as never started: a body that calls Go
// in a loop should look at g.Stopping(). The function should return soon after its context ends, since Run waits for it.
//
// In a scope with a Limit, Go waits until its task has a place, or the scope is stopped or canceled. So that tasks may
// call Go too, without all of them waiting for each other's places, at most one Go waits at a time, and none after the
// body has returned: the others queue their task and return at once. Queued tasks start in order. The queue has no bound.
//
// Go panics if fn is nil or Run has returned. It costs one allocation, or none if it waits.
func (g *Group) Go(fn func(context.Context) error) {
	if fn == nil {
		panic("group: Go: fn is nil, want a function")
	}
	g.enter()
	if g.ctx.Err() != nil || g.stop.asked.Load() {
		g.refuse()
		return
	}
	if g.limit == 0 {
		go g.work(fn)
		return
	}
	g.mu.Lock()
	if g.stop.asked.Load() { // the queue was dropped, and must stay empty
		g.mu.Unlock()
		g.refuse()
		return
	}
	if g.running < g.limit {
		g.running++
		g.mu.Unlock()
		go g.work(fn)
		return
	}
	started := g.enqueue(fn)
	g.mu.Unlock()
	if started != nil {
		select {
		case <-started:
			g.waits.Store(false)
		case <-g.ctx.Done(): // whoever ends next finds the scope canceled and drops the queue
		}
	}
}

// refuse counts a task that enter has counted as one that was never started.
func (g *Group) refuse() {
	g.mu.Lock()
	g.notStarted++
	g.mu.Unlock()
	g.leave()
}

// enter counts one more task, or panics if Run has returned.
func (g *Group) enter() {
	for {
		n := g.live.Load()
		if n == 0 {
			panic("group: Go after Run has returned")
		}
		if g.live.CompareAndSwap(n, n+1) {
			return
		}
	}
}

// leave is enter's counterpart, and the body's.
func (g *Group) leave() {
	if g.live.Add(-1) == 0 {
		close(g.idle)
	}
}

// enqueue queues fn and returns what Go has to wait for, or nil. The caller holds g.mu.
func (g *Group) enqueue(fn func(context.Context) error) <-chan struct{} {
	var q *queued
	wait := !g.bodyDone && !g.waits.Load()
	if wait {
		g.waits.Store(true)
		q = &g.own
	} else {
		q = new(queued)
	}
	q.fn = fn
	if g.last == nil {
		g.first = q
	} else {
		g.last.next = q
	}
	g.last = q
	if !wait {
		return nil
	}
	if g.started == nil {
		g.started = make(chan struct{}, 1)
	}
	return g.started
}

// work runs fn and then, on the same place, queued tasks while there are any.
func (g *Group) work(fn func(context.Context) error) {
	for fn != nil {
		fn = g.turn(fn)
	}
}

// turn runs one task and returns the next one for its place, or nil.
func (g *Group) turn(fn func(context.Context) error) (next func(context.Context) error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		how, err := failed, ErrGoexit
		if !g.crash {
			how, err = unwound(recover())
		} else if panicking() {
			return // the task still counts as live, so that Run cannot return, and the program exit, ahead of the crash
		}
		g.count(how)
		g.add(how, err)
		next = g.pass()
		if how == failed && next != nil {
			go g.work(next) // this goroutine ends
		}
		g.leave()
	}()
	var err error
	if g.call != nil {
		err = g.call(g.ctx, fn)
	} else {
		err = fn(g.ctx)
	}
	how := g.judge(err)
	g.tell(how)
	returned = true
	if how == succeeded {
		g.well.Add(1)
	} else {
		g.add(how, err)
	}
	next = g.pass()
	g.leave()
	return next
}

// pass hands the place of a task that ended to the first in the queue and returns its function, or nil.
func (g *Group) pass() func(context.Context) error {
	if g.limit == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.first != nil && g.ctx.Err() != nil {
		g.drop()
	}
	q := g.first
	if q == nil {
		g.running--
		return nil
	}
	g.first = q.next
	if g.first == nil {
		g.last = nil
	}
	fn := q.fn
	if q == &g.own {
		g.own = queued{}
		g.letGo()
	}
	return fn
}

// drop empties the queue: its tasks are never started. The caller holds g.mu.
func (g *Group) drop() {
	for q := g.first; q != nil; q = q.next {
		g.notStarted++
		g.live.Add(-1) // never the last: while tasks are queued, others run, and cannot leave without g.mu
	}
	g.first, g.last, g.own = nil, nil, queued{}
}

// letGo lets the waiting Go return, if one waits. The caller holds g.mu.
func (g *Group) letGo() {
	if !g.waits.Load() {
		return
	}
	select {
	case g.started <- struct{}{}:
	default: // it was let go before, and has not noticed or did not wait for that
	}
}

// wait returns when all tasks have ended, after which none can be started.
func (g *Group) wait() {
	g.mu.Lock()
	g.bodyDone = true
	g.letGo()
	g.mu.Unlock()
	g.leave()
	<-g.idle
	g.disarm()
}
