package mettletest

import (
	"context"
	"errors"
	"reflect"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
)

// gate returns a new gate that admits.
func (tr *trial) gate() mettle.Gate { return tr.asGate("New", tr.policy(nil)) }

func (tr *trial) asGate(field string, p mettle.Policy) mettle.Gate {
	g, ok := p.(mettle.Gate)
	if !ok {
		tr.fatalf("Config.%s returned a %T, which has no Acquire: want a mettle.Gate, or TestPolicy", field, p)
	}
	return g
}

// tryPlain holds Do to what a Stack makes of Acquire and Done, which has no way to do more.
func tryPlain(tr *trial) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for _, want := range []error{nil, &failed{1}} {
		g := tr.gate()
		var got context.Context
		dep := NewScript(func(ctx context.Context) error {
			got = ctx
			return want
		}).Then(Fail(want))
		err := tr.do(ctx, g, dep.Run)
		if dep.Calls() != 1 {
			tr.fatalf("Do ran the function %d times", dep.Calls())
		}
		if err != want {
			tr.fatalf("the function returned %v, and Do %v, which is not the same value", want, err)
		}
		if got != ctx {
			tr.fatalf("the function got another context than Do")
		}
	}
}

// held returns how many of a crowd get a permit at once. Each gives it back with end.
func (tr *trial) held(g mettle.Gate, end error) int {
	return tr.admitted(func(ctx context.Context, hold func()) {
		permit, err := g.Acquire(ctx)
		if err != nil {
			return
		}
		hold()
		permit.Done(end)
	})
}

func tryAcquire(tr *trial) {
	want := tr.places(tr.gate())
	if got := tr.held(tr.gate(), nil); got != want {
		tr.fatalf("of %d calls %d get in by Do and %d by Acquire", crowd, want, got)
	}
	for _, end := range []error{nil, errDown, mettle.ErrUnfinished} {
		g := tr.gate()
		permits := tr.fill(g, want)
		if want < crowd {
			tr.shut(g, want)
		}
		for i, permit := range permits {
			hear := error(nil)
			if i == 0 {
				hear = end
			}
			tr.returned(start(func() error { // not the goroutine that acquired it
				permit.Done(hear)
				return nil
			}))
		}
		time.Sleep(pause)
		if got := tr.held(g, nil); got != want {
			tr.fatalf("%d permits were given at first, and %d after all came back, one of them by Done(%v)", want, got, end)
		}
	}
}

// fill acquires n permits, which g has.
func (tr *trial) fill(g mettle.Gate, n int) []mettle.Permit {
	permits := make([]mettle.Permit, n)
	for i := range permits {
		err := tr.returned(start(func() (err error) {
			permits[i], err = g.Acquire(context.Background())
			return err
		}))
		if err != nil {
			tr.fatalf("Acquire returned %v for permit %d, where %d callers had been let in at once", err, i+1, n)
		}
	}
	return permits
}

// shut sees to it that g, of whose n permits all are given, lets nobody in by Do, and that who waited leaves at once.
func (tr *trial) shut(g mettle.Gate, n int) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	dep := NewScript().Then(Succeed())
	call := start(func() error { return g.Do(ctx, dep.Run) })
	synctest.Wait()
	cancel(errLeft)
	tr.join(call)
	if dep.Calls() > 0 {
		tr.fatalf("Do let a caller in while all %d permits were held", n)
	}
}

func tryTurnedAway(tr *trial) {
	g := tr.asGate("Rejecting", tr.rejecting(nil))
	for range 3 {
		var permit mettle.Permit
		err := tr.returned(start(func() (err error) {
			permit, err = g.Acquire(context.Background())
			return err
		}))
		if err == nil {
			tr.fatalf("Acquire admitted a caller of a gate that rejects")
		}
		tr.isRejection("Acquire of a gate that rejects", g, err)
		if !reflect.ValueOf(permit).IsZero() {
			tr.fatalf("Acquire returned a permit beside its rejection, whose Done would give back a place that nobody took")
		}
	}
}

func tryWaiter(tr *trial) {
	n := tr.places(tr.gate())
	if n == crowd {
		tr.skip("the gate has no limit within reach")
	}
	g := tr.gate()
	permits := tr.fill(g, n)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	call := start(func() error {
		permit, err := g.Acquire(ctx)
		if err == nil {
			permit.Done(nil)
		}
		return err
	})
	synctest.Wait()
	waited := !call.ended()
	cancel(errLeft)
	synctest.Wait()
	if !call.ended() {
		tr.fatalf("Acquire goes on waiting though its context has ended")
	}
	if err := tr.returned(call); waited && (!errors.Is(err, mettle.ErrRejected) || !errors.Is(err, context.Canceled)) {
		tr.fatalf("a waiter whose context ended got %v, want an error that is mettle.ErrRejected and context.Canceled", err)
	}
	for _, permit := range permits {
		permit.Done(nil)
	}
	time.Sleep(pause)
	if got := tr.held(g, nil); got != n {
		tr.fatalf("%d permits were given at first, and %d after a waiter had left the queue", n, got)
	}
	if !waited {
		tr.skip("nobody waits: the gate has no queue")
	}
}
