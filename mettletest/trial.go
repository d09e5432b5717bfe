package mettletest

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
)

const (
	// limit is how long a call may take, in the time of the bubble: longer than any backoff or queue of a sane Config.New.
	limit = 24 * time.Hour
	// pause is how long a policy gets to be as it was: tokens are earned again and cooldowns are over.
	pause = 10 * time.Minute
	// slow is how long a first run takes that is to be hedged or timed out.
	slow = time.Hour
	// crowd is how many calls are made at once.
	crowd = 64
)

// A trial is one run of a check. It reads like a test: fatalf and skip end it.
type trial struct {
	cfg     Config
	made    []mettle.Policy
	verdict error
}

// notApplicable is the verdict of a check that had nothing to look at.
type notApplicable string

func (r notApplicable) Error() string { return string(r) }

// run makes the trial of a check within a bubble. The goroutine of its own is for fatalf to end.
func (tr *trial) run(check func(*trial)) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer tr.close()
		check(tr)
	}()
	<-done
	return tr.verdict
}

func (tr *trial) fatalf(format string, args ...any) {
	tr.verdict = fmt.Errorf(format, args...)
	runtime.Goexit()
}

func (tr *trial) skip(reason string) {
	tr.verdict = notApplicable(reason)
	runtime.Goexit()
}

// policy returns a new policy that runs what it is given.
func (tr *trial) policy(o mettle.Observer) mettle.Policy {
	p := tr.cfg.New(o)
	if p == nil {
		tr.fatalf("Config.New returned nil")
	}
	tr.made = append(tr.made, p)
	return p
}

// rejecting returns a new policy that rejects all, or nil if there is no such thing.
func (tr *trial) rejecting(o mettle.Observer) mettle.Policy {
	if tr.cfg.Rejecting == nil {
		return nil
	}
	p := tr.cfg.Rejecting(o)
	if p == nil {
		tr.fatalf("Config.Rejecting returned nil")
	}
	tr.made = append(tr.made, p)
	return p
}

// close ends what the trial's policies started when they were made.
func (tr *trial) close() {
	for i := 0; i < len(tr.made); i++ {
		switch p := tr.made[i].(type) {
		case *mettle.Stack:
			tr.made = append(tr.made, p.Policies()...)
		case io.Closer:
			p.Close()
		case interface{ Close() }:
			p.Close()
		}
	}
}

// A pending is a call under way in a goroutine of its own.
type pending struct {
	done chan struct{}
	out  outcome
}

// An outcome is how a call ended.
type outcome struct {
	err      error
	panicked any    // what went through it
	stack    string // of the panic
	exited   bool   // by runtime.Goexit
}

func start(call func() error) *pending {
	c := &pending{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.out.exited = true
		defer func() {
			if v := recover(); v != nil {
				c.out = outcome{panicked: v, stack: string(debug.Stack())}
			}
		}()
		err := call()
		c.out = outcome{err: err}
	}()
	return c
}

func (c *pending) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// join waits for c, however it ends.
func (tr *trial) join(c *pending) outcome {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
		tr.fatalf("a call has not returned after %v of the bubble's time; its goroutines are:\n%s", limit, stacks(goroutines(thisBubble())))
	}
	return c.out
}

// returned waits for c, which is to return.
func (tr *trial) returned(c *pending) error {
	switch out := tr.join(c); {
	case out.panicked != nil:
		tr.fatalf("the call panicked: %v\n%s", out.panicked, out.stack)
	case out.exited:
		tr.fatalf("the call ended its goroutine by runtime.Goexit")
	}
	return c.out.err
}

// do calls p, which is to return.
func (tr *trial) do(ctx context.Context, p mettle.Policy, fn func(context.Context) error) error {
	return tr.returned(start(func() error { return p.Do(ctx, fn) }))
}

// places returns how many of a crowd p lets in at once.
func (tr *trial) places(p mettle.Policy) int {
	return tr.admitted(func(ctx context.Context, hold func()) {
		p.Do(ctx, func(context.Context) error {
			hold()
			return nil
		})
	})
}

// admitted counts for how many of a crowd enter calls hold, whatever it does several times for one, and lets all leave again.
func (tr *trial) admitted(enter func(ctx context.Context, hold func())) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	release := make(chan struct{})
	var inside atomic.Int64
	var calls []*pending
	for range crowd {
		var counted atomic.Bool
		calls = append(calls, start(func() error {
			enter(ctx, func() {
				if !counted.Swap(true) {
					inside.Add(1)
				}
				<-release
			})
			return nil
		}))
	}
	synctest.Wait()
	n := int(inside.Load())
	close(release)
	synctest.Wait() // who stands in a queue gets in now
	cancel()        // and who waits for something else gives up
	for _, c := range calls {
		tr.returned(c)
	}
	return n
}
