package mettletest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how long, in real time, a check may stand still before somebody looks whether it can go on at all. A
// check that stands still has failed, so that nobody waits for it in a suite that passes.
const patience = 2 * time.Second

// A check is a promise of the contract and a way to see whether a policy keeps it.
type check struct {
	name    string
	promise string
	try     func(*trial)
}

// apply runs c as a subtest.
func (c check) apply(t *testing.T, cfg Config) {
	t.Run(c.name, func(t *testing.T) {
		if reason, ok := cfg.Skip[c.name]; ok {
			t.Skip(reason)
		}
		err := c.judge(t, cfg, patience)
		if reason, ok := errors.AsType[notApplicable](err); ok {
			t.Skip(reason)
		}
		if err != nil {
			t.Errorf("promise: %s\nseen: %v", c.promise, err)
		}
	})
}

// judge runs c in a bubble of its own, which does not fail t, and returns nil, a notApplicable, or what is wrong.
func (c check) judge(t *testing.T, cfg Config, patience time.Duration) error {
	var bubble atomic.Pointer[string]
	verdict := make(chan error, 1)
	go func() {
		// synctest.Test ends this goroutine if the bubble failed t by itself, as a data race does.
		err := errors.New("the check was aborted")
		defer func() { verdict <- err }()
		err = inBubble(t, func(name string) error {
			bubble.Store(&name)
			return (&trial{cfg: cfg}).run(c.try)
		})
	}()
	// A bubble notices by itself when all of its goroutines wait for each other, but not if one of them waits for
	// a mutex. Seen twice in the same state, it will not go on.
	var before []goroutine
	for {
		timer := time.NewTimer(patience)
		select {
		case err := <-verdict:
			timer.Stop()
			return err
		case <-timer.C:
		}
		var now []goroutine
		if name := bubble.Load(); name != nil {
			now = goroutines(*name)
		}
		if stuck(now) && slices.EqualFunc(now, before, func(a, b goroutine) bool { return a.id == b.id && a.state == b.state }) {
			return fmt.Errorf("deadlock: nothing goes on; the goroutines are:\n%s", stacks(now))
		}
		before = now
	}
}

// inBubble returns what f returns or, if that is nil, what the bubble has against it. A goroutine that f leaves behind makes
// synctest.Test panic in its own goroutine, outside of the bubble, where it can be told as a failure like others.
func inBubble(t *testing.T, f func(bubble string) error) (err error) {
	var bubble string
	defer func() {
		if p := recover(); p != nil && err == nil {
			err = fmt.Errorf("nothing else, but goroutines are left behind (%v):\n%s", p, stacks(goroutines(bubble)))
		}
	}()
	synctest.Test(t, func(*testing.T) {
		bubble = thisBubble()
		err = f(bubble)
	})
	return err
}
