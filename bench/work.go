package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A runner calls task for each number below n, several at a time, and returns when all have ended, with an error if one failed.
type runner func(ctx context.Context, n int, task func(ctx context.Context, i int) error) error

// A watched is what one writes around goroutines without a library: the first error is kept and cancels the context of all.
type watched struct {
	parent context.Context
	cancel context.CancelFunc
	once   sync.Once
	first  error
}

func watch(parent context.Context) (context.Context, *watched) {
	ctx, cancel := context.WithCancel(parent)
	return ctx, &watched{parent: parent, cancel: cancel}
}

func (w *watched) note(err error) {
	if err != nil {
		w.once.Do(func() {
			w.first = err
			w.cancel()
		})
	}
}

// result returns the first error, or that of the context, since what it ends may not have been begun. All goroutines must have ended.
func (w *watched) result() error {
	if w.first != nil {
		return w.first
	}
	return w.parent.Err()
}

// A meter counts who is inside of a function.
type meter struct{ inside, most, left atomic.Int64 }

// enter returns how many are inside now.
func (m *meter) enter() int {
	n := m.inside.Add(1)
	for most := m.most.Load(); n > most && !m.most.CompareAndSwap(most, n); most = m.most.Load() {
	}
	return int(n)
}

func (m *meter) leave() {
	m.inside.Add(-1)
	m.left.Add(1)
}

// passesOn returns an error unless do hands its tasks the caller's values, passes on the failure of one among them, and can be used again.
func passesOn(do runner) error {
	ctx, cancel := patient()
	defer cancel()
	for _, want := range []error{nil, errDown, nil} {
		var lost atomic.Bool
		err := do(ctx, 20, func(ctx context.Context, i int) error {
			if ctx.Value(requestKey{}) != 1 {
				lost.Store(true)
			}
			if i == 10 {
				return want
			}
			return nil
		})
		switch {
		case !errors.Is(err, want):
			return fmt.Errorf("returned %v where a task returned %v", err, want)
		case lost.Load():
			return errors.New("lost a value of the caller's context")
		}
	}
	return nil
}

// gathers returns an error unless do runs n tasks with limit of them at a time, never more, and waits for all.
func gathers(do runner, n, limit int) error {
	ctx, cancel := patient()
	defer cancel()
	var m meter
	var once sync.Once
	full := make(chan struct{})
	err := do(ctx, n, func(context.Context, int) error {
		defer m.leave()
		if m.enter() == limit {
			once.Do(func() { close(full) })
		}
		select {
		case <-full:
		case <-ctx.Done():
			return ctx.Err()
		}
		time.Sleep(time.Millisecond) // for one more than limit to get in, and for who does not wait to be gone
		return nil
	})
	if most, left := m.most.Load(), m.left.Load(); err != nil || most != int64(limit) || left != int64(n) {
		return fmt.Errorf("%d tasks had ended, %d at a time, error %v; want %d, %d, nil", left, most, err, n, limit)
	}
	return nil
}
