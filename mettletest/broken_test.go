package mettletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
)

// The policies in this file each break one promise, as a policy in the wild might.

type function = func(context.Context) error

func plain(do func(context.Context, function) error) func(mettle.Observer) mettle.Policy {
	return func(mettle.Observer) mettle.Policy { return mettle.PolicyFunc(do) }
}

func swallows(ctx context.Context, fn function) error {
	fn(ctx)
	return nil
}

func retells(ctx context.Context, fn function) error {
	if err := fn(ctx); err != nil {
		return fmt.Errorf("toy: %v", err)
	}
	return nil
}

func callsItRejected(ctx context.Context, fn function) error {
	if err := fn(ctx); err != nil {
		return errors.Join(err, mettle.ErrRejected)
	}
	return nil
}

func doesNothing(context.Context, function) error { return nil }

func looksFirst(ctx context.Context, fn function) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fn(ctx)
}

func forgetsToKeep(ctx context.Context, fn function) error {
	ctx, _ = mettle.Fork(ctx)
	return fn(ctx)
}

// valueless is a context without values.
type valueless struct{ context.Context }

func (valueless) Value(any) any { return nil }

func dropsValues(ctx context.Context, fn function) error { return fn(valueless{ctx}) }

func dropsDeadline(ctx context.Context, fn function) error {
	bare, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	defer cancel(nil)
	return fn(bare)
}

// causeless is a context that hides from context.Cause how it ended.
type causeless struct{ context.Context }

func (c causeless) Value(key any) any {
	if _, ok := key.(callerKey); ok {
		return c.Context.Value(key)
	}
	return nil
}

func dropsCause(ctx context.Context, fn function) error {
	return fn(causeless{ctx})
}

// dated is a context with the deadline of another.
type dated struct {
	context.Context
	due context.Context
}

func (d dated) Deadline() (time.Time, bool) { return d.due.Deadline() }

func cancelsLate(ctx context.Context, fn function) error {
	bare, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() {
		time.Sleep(time.Second)
		cancel(context.Cause(ctx))
	})()
	return fn(dated{bare, ctx})
}

func recovers(ctx context.Context, fn function) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("toy: panic: %v", v)
		}
	}()
	return fn(ctx)
}

// caught runs fn and catches its panic.
func caught(ctx context.Context, fn function) (v any, err error) {
	defer func() { v = recover() }()
	return nil, fn(ctx)
}

func throwsAgain(ctx context.Context, fn function) error {
	v, err := caught(ctx, fn)
	if v != nil {
		panic(v)
	}
	return err
}

func throwsOther(ctx context.Context, fn function) error {
	defer func() {
		if v := recover(); v != nil {
			panic(fmt.Sprintf("toy: %v", v))
		}
	}()
	return fn(ctx)
}

// elsewhere runs fn in another goroutine; a panic comes back over, as it must, and Goexit does not.
func elsewhere(ctx context.Context, fn function) error {
	type end struct {
		v   any
		err error
	}
	ends := make(chan end, 1)
	go func() {
		var e end
		defer func() { ends <- e }()
		e.v, e.err = caught(ctx, fn)
	}()
	e := <-ends
	if e.v != nil {
		panic(e.v)
	}
	return e.err
}

// abandons leaves fn when the caller does.
func abandons(ctx context.Context, fn function) error {
	ends := make(chan error, 1)
	if ctx.Done() == nil || ctx.Err() != nil {
		return fn(ctx)
	}
	go func() {
		defer close(ends)
		_, err := caught(ctx, fn)
		ends <- err
	}()
	select {
	case err := <-ends:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func leaksUntilCanceled(ctx context.Context, fn function) error {
	if ctx.Done() != nil {
		go func() { <-ctx.Done() }()
	}
	return fn(ctx)
}

// leaky leaves one goroutine behind for good.
type leaky struct{ once sync.Once }

func (l *leaky) Do(ctx context.Context, fn function) error {
	l.once.Do(func() {
		never := make(chan struct{})
		go func() { <-never }()
	})
	return fn(ctx)
}

func runsAgainLater(ctx context.Context, fn function) error {
	time.AfterFunc(3*slow/2, func() { caught(ctx, fn) })
	return fn(ctx)
}

// repeats retries three times, and waits by wait, which may have an error of its own.
func repeats(wait func(ctx context.Context, last error) error) func(context.Context, function) error {
	return func(ctx context.Context, fn function) error {
		var err error
		for range 3 {
			if err = fn(ctx); err == nil || errors.Is(err, mettle.ErrRejected) {
				return err
			}
			if stop := wait(ctx, err); stop != nil {
				return stop
			}
		}
		return err
	}
}

func sleepsOn(context.Context, error) error {
	time.Sleep(time.Second)
	return nil
}

func pauses(ctx context.Context, last, stop error) error {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return stop
	}
}

// crossed puts each result into the place of the call that began last.
type crossed struct {
	last atomic.Pointer[atomic.Pointer[error]]
}

func (c *crossed) Do(ctx context.Context, fn function) error {
	var mine atomic.Pointer[error]
	c.last.Store(&mine)
	err := fn(ctx)
	c.last.Load().Store(&err)
	if e := mine.Load(); e != nil {
		return *e
	}
	return nil
}

// watched has an observer and a description, and a way to lock.
type watched struct {
	sync.Locker
	tell     bool // while locked
	observer mettle.Observer
	events   mettle.Event
	desc     func(n int64) mettle.Description
	asked    atomic.Int64
	reading  sync.RWMutex
	slow     bool // Describe waits for calls
}

func (w *watched) Do(ctx context.Context, fn function) error {
	if w.slow {
		w.reading.RLock()
	}
	err := fn(ctx)
	if w.slow {
		w.reading.RUnlock()
	}
	if err != nil && w.observer != nil {
		w.Lock()
		if !w.tell {
			w.Unlock()
		}
		w.observer(ctx, w.events)
		if w.tell {
			w.Unlock()
		}
	}
	return err
}

func (w *watched) Describe() mettle.Description {
	if w.slow {
		w.reading.Lock()
		defer w.reading.Unlock()
	}
	w.Lock()
	defer w.Unlock()
	return w.desc(w.asked.Add(1))
}

// channelLock is a lock whose waiters the bubble sees.
type channelLock chan struct{}

func (c channelLock) Lock()   { c <- struct{}{} }
func (c channelLock) Unlock() { <-c }

// toy is what a sound description is.
func toy(int64) mettle.Description { return mettle.Description{Kind: "toy", Name: "one"} }

func watching(change func(*watched)) func(mettle.Observer) mettle.Policy {
	return func(o mettle.Observer) mettle.Policy {
		w := &watched{Locker: new(sync.Mutex), observer: o, desc: toy}
		w.events = mettle.Event{Kind: mettle.Retried, Policy: "toy", Name: "one"}
		change(w)
		return w
	}
}

func describing(m ...mettle.Metric) func(*watched) {
	return func(w *watched) {
		w.desc = func(int64) mettle.Description { return mettle.Description{Kind: "toy", Name: "one", Metrics: m} }
	}
}

var notANumber = mettle.Metric{Name: "load", Value: math.NaN()}

// hedger starts a second run after a second, and keeps the branch of the first to succeed.
type hedger struct {
	forks int // branches for the two runs
	keeps bool
}

func (h hedger) Do(ctx context.Context, fn function) error {
	type end struct {
		branch *mettle.Branch
		err    error
	}
	first, primary := ctx, (*mettle.Branch)(nil)
	if h.forks > 0 {
		first, primary = mettle.Fork(ctx)
	}
	ends := make(chan end, 2)
	var hedge sync.WaitGroup
	hedge.Add(1)
	timer := time.AfterFunc(time.Second, func() {
		defer hedge.Done()
		run, branch := first, primary
		if h.forks == 2 {
			run, branch = mettle.Fork(ctx)
		}
		ends <- end{branch, fn(run)}
	})
	defer func() {
		if timer.Stop() {
			hedge.Done()
		}
		hedge.Wait()
	}()
	err := fn(first)
	ends <- end{primary, err}
	if timer.Stop() {
		hedge.Done()
	}
	hedge.Wait()
	close(ends)
	for e := range ends {
		if e.err == nil {
			if h.keeps && e.branch != nil {
				e.branch.Keep()
			}
			return nil
		}
	}
	return err
}
