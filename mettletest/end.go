package mettletest

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
)

// A course is a way in which a call may go.
type course struct {
	name   string
	fn     func(n int) Step // of the nth run
	cancel bool             // the caller cancels when the call has come to a rest
	due    bool             // the caller's deadline passes
	rough  bool             // the call may end by a panic
}

// later makes each run shorter than the one before, and deaf: the first is the last to end.
func later(end func(n int) Step) func(n int) Step {
	return func(n int) Step { return Deaf(slow>>min(n-1, 20), end(n)) }
}

func always(s Step) func(int) Step { return func(int) Step { return s } }

var courses = []course{
	{name: "a quick success", fn: always(Succeed())},
	{name: "a failure", fn: always(Fail(errDown))},
	{name: "a success that takes long", fn: later(always(Succeed()))},
	{name: "a failure that takes long", fn: later(always(Fail(errDown)))},
	{name: "a cancellation that the function heeds", fn: always(Hang()), cancel: true},
	{name: "a cancellation that the function does not heed", fn: always(Deaf(slow, Hang())), cancel: true},
	{name: "a deadline that the function heeds", fn: always(Hang()), due: true},
	{name: "a deadline that the function does not heed", fn: later(always(Succeed())), due: true},
	{name: "a panic", fn: always(Panic("mettletest")), rough: true},
	{name: "a runtime.Goexit", fn: always(exit), rough: true},
}

func exit(context.Context) error {
	runtime.Goexit()
	return nil
}

// A traveled course is what is left when Do has returned.
type traveled struct {
	running int
	dep     *Script
}

// travel makes one call of p go c's way. The caller cancels its context after it has looked at what is left: what lasts until then
// has outlived the call.
func (tr *trial) travel(p mettle.Policy, c course) (at traveled, cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if c.due {
		ctx, cancel = context.WithTimeout(context.Background(), slow/4)
	}
	var n atomic.Int64
	at.dep = NewScript().Then(func(ctx context.Context) error { return c.fn(int(n.Add(1)))(ctx) })
	call := start(func() error {
		err := p.Do(ctx, at.dep.Run)
		at.running = at.dep.Running()
		return err
	})
	if c.cancel {
		synctest.Wait()
		cancel()
	}
	if out := tr.join(call); out.panicked != nil && !c.rough {
		tr.fatalf("the call panicked: %v\n%s", out.panicked, out.stack)
	}
	return at, cancel
}

func tryEnded(tr *trial) {
	for _, c := range courses {
		if c.rough {
			continue
		}
		at, cancel := tr.travel(tr.policy(nil), c)
		if at.running > 0 {
			tr.fatalf("after %s Do returned while the function was still running, %d times", c.name, at.running)
		}
		runs := at.dep.Calls()
		time.Sleep(2 * slow)
		cancel()
		if more := at.dep.Calls() - runs; more > 0 {
			tr.fatalf("after %s the function ran again, %d times, when Do had returned", c.name, more)
		}
	}
}

func tryGoroutines(tr *trial) {
	for _, c := range courses {
		p := tr.policy(nil)
		synctest.Wait()
		before := make(map[string]bool)
		for _, g := range goroutines(thisBubble()) {
			before[g.id] = true
		}
		_, cancel := tr.travel(p, c)
		synctest.Wait()
		var left []goroutine
		for _, g := range goroutines(thisBubble()) {
			if !before[g.id] {
				left = append(left, g)
			}
		}
		cancel()
		if len(left) > 0 {
			tr.fatalf("%d goroutines are left after %s:\n%s", len(left), c.name, stacks(left))
		}
	}
}

func tryPlaces(tr *trial) {
	for _, c := range courses {
		if c.cancel || c.due {
			continue // to its place it is the same why a function returned
		}
		p := tr.policy(nil)
		want := tr.places(p)
		if want == 0 {
			tr.fatalf("a new policy lets nobody in")
		}
		time.Sleep(pause)
		_, cancel := tr.travel(p, c)
		cancel()
		time.Sleep(pause)
		if got := tr.places(p); got != want {
			tr.fatalf("%d of %d calls get in at once; after %s it is %d", want, crowd, c.name, got)
		}
	}
}

// thrown is a panic's value, told by its address.
type thrown struct{ what string }

// throwMettletest has a name that is found in a traceback.
func throwMettletest(v *thrown) error { panic(v) }

func tryPanic(tr *trial) {
	p := tr.policy(nil)
	v := &thrown{"a panic of mettletest"}
	out := tr.join(start(func() error {
		return p.Do(context.Background(), func(context.Context) error { return throwMettletest(v) })
	}))
	switch {
	case out.exited:
		tr.fatalf("the function panicked, and Do ended its goroutine by runtime.Goexit")
	case out.panicked == nil:
		tr.fatalf("the function panicked, and Do returned %v", out.err)
	case out.panicked != any(v):
		tr.fatalf("the function panicked with %p, and what came through Do is %T %v", v, out.panicked, out.panicked)
	case !strings.Contains(out.stack, "throwMettletest"):
		tr.fatalf("the panic was recovered and thrown again: its stack does not lead to the function\n%s", out.stack)
	}
}

func tryGoexit(tr *trial) {
	p := tr.policy(nil)
	out := tr.join(start(func() error { return p.Do(context.Background(), exit) }))
	if out.panicked != nil {
		tr.fatalf("the function ended its goroutine, and Do panicked: %v", out.panicked)
	}
	if !out.exited {
		tr.fatalf("the function ended its goroutine, and Do returned %v", out.err)
	}
}
