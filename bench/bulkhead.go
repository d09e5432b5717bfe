package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	failsafebulkhead "github.com/failsafe-go/failsafe-go/bulkhead"
	"golang.org/x/sync/semaphore"

	"github.com/mettle-go/mettle/bulkhead"
)

var errFull = errors.New("full")

const crowd = 16

func bulkheadRows() []row {
	return []row{
		{"bulkhead/free", "bulkhead with a free place", contenders(waiting(), 10, succeeds(nothing), checkLimits)},
		{"bulkhead/full", "bulkhead full: rejects", contenders(full(), true, rejects, checkFull)},
		{"bulkhead/contended", "bulkhead, 16 goroutines through one place, the function yields the processor", contenders(waiting(), 1, together(crowd, yields), checkLimits)},
	}
}

// waiting are bulkheads with limit places, whose callers wait while none is free.
func waiting() []rival[int, act] {
	return []rival[int, act]{
		{"mettle", func(_ *bed, limit int) act { return bulkhead.New(bulkhead.Config{Limit: limit, Queue: 64}).Do }},
		{"channel", channelPlaces},
		{"x/sync semaphore", semaphorePlaces},
		{"failsafe-go", func(_ *bed, limit int) act {
			return failsafeAct[any](failsafebulkhead.NewBuilder[any](uint(limit)).WithMaxWaitTime(time.Hour).Build())
		}},
		{"failsafe-go, standalone", func(_ *bed, limit int) act {
			places := failsafebulkhead.New[any](uint(limit))
			return func(ctx context.Context, fn func(context.Context) error) error {
				if err := places.AcquirePermit(ctx); err != nil {
					return err
				}
				defer places.ReleasePermit()
				return fn(ctx)
			}
		}},
	}
}

func channelPlaces(_ *bed, limit int) act {
	places := make(chan struct{}, limit)
	return func(ctx context.Context, fn func(context.Context) error) error {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-places }()
		return fn(ctx)
	}
}

func semaphorePlaces(_ *bed, limit int) act {
	places := semaphore.NewWeighted(int64(limit))
	return func(ctx context.Context, fn func(context.Context) error) error {
		if err := places.Acquire(ctx, 1); err != nil {
			return err
		}
		defer places.Release(1)
		return fn(ctx)
	}
}

// full are bulkheads with one place and without a queue; their place is taken, if taken is true, for good.
func full() []rival[bool, act] {
	return []rival[bool, act]{
		{"mettle", func(_ *bed, taken bool) act {
			places := bulkhead.New(bulkhead.Config{Limit: 1})
			if taken {
				must(places.Acquire(context.Background()))
			}
			return places.Do
		}},
		{"channel", func(_ *bed, taken bool) act {
			places := make(chan struct{}, 1)
			if taken {
				places <- struct{}{}
			}
			return func(ctx context.Context, fn func(context.Context) error) error {
				select {
				case places <- struct{}{}:
				default:
					return errFull
				}
				defer func() { <-places }()
				return fn(ctx)
			}
		}},
		{"x/sync semaphore", func(_ *bed, taken bool) act {
			places := semaphore.NewWeighted(1)
			if taken {
				places.TryAcquire(1)
			}
			return func(ctx context.Context, fn func(context.Context) error) error {
				if !places.TryAcquire(1) {
					return errFull
				}
				defer places.Release(1)
				return fn(ctx)
			}
		}},
		{"failsafe-go", func(_ *bed, taken bool) act {
			return failsafeAct[any](failsafeFull(taken))
		}},
		{"failsafe-go, standalone", func(_ *bed, taken bool) act {
			places := failsafeFull(taken)
			return func(ctx context.Context, fn func(context.Context) error) error {
				if !places.TryAcquirePermit() {
					return failsafebulkhead.ErrFull
				}
				defer places.ReleasePermit()
				return fn(ctx)
			}
		}},
	}
}

func failsafeFull(taken bool) failsafebulkhead.Bulkhead[any] {
	places := failsafebulkhead.New[any](1)
	if taken {
		places.TryAcquirePermit()
	}
	return places
}

// must is for setting up what cannot fail unless the program is wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// yields lets others run while it holds its place. A function that returns at once would mostly find nobody else there: the
// goroutines would run one after the other.
func yields(context.Context) error { runtime.Gosched(); return nil }

// together is succeeds in so many goroutines at once, which share the calls.
func together(goroutines int, fn func(context.Context) error) func(act) loop {
	return func(do act) loop {
		each := succeeds(fn)(do)
		return func(ctx context.Context, n int) error {
			var wg sync.WaitGroup
			errs := make([]error, goroutines)
			for i := range goroutines {
				share := n / goroutines
				if i < n%goroutines {
					share++
				}
				wg.Go(func() { errs[i] = each(ctx, share) })
			}
			wg.Wait()
			return errors.Join(errs...)
		}
	}
}

// checkLimits returns an error unless the bulkhead lets limit calls in at a time, one more wait, and the next in when one has left.
func checkLimits(build func(limit int) act) error {
	if err := passes(build(1)); err != nil {
		return err
	}
	for _, limit := range []int{1, 3} {
		if err := fills(build(limit), limit); err != nil {
			return fmt.Errorf("limit %d: %w", limit, err)
		}
	}
	return exclusive(build(1))
}

// fills takes all places by calls within calls. Where they are taken, a further call must not run, and waits until its time is up.
func fills(do act, limit int) error {
	ctx, cancel := patient()
	defer cancel()
	var deeper func(n int) error
	deeper = func(n int) error {
		if n == 0 {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			if err := do(short, nothing); err == nil {
				return errors.New("let one more in than it has places")
			} else if short.Err() == nil {
				return fmt.Errorf("did not wait for a place but returned %w", err)
			}
			return nil
		}
		ran := false
		err := do(ctx, func(context.Context) error { ran = true; return deeper(n - 1) })
		if !ran {
			return fmt.Errorf("did not let a call in that had a place: %w", err)
		}
		return err
	}
	if err := deeper(limit); err != nil {
		return err
	}
	for range limit {
		do(ctx, func(context.Context) error { return errDown })
	}
	return deeper(limit) // all places came back, from failures too
}

// exclusive returns an error unless a crowd that passes through one place does so one by one, and all of it.
func exclusive(do act) error {
	ctx, cancel := patient()
	defer cancel()
	var m meter
	err := together(crowd, nothing)(func(ctx context.Context, _ func(context.Context) error) error {
		return do(ctx, func(context.Context) error {
			m.enter()
			defer m.leave()
			runtime.Gosched()
			return nil
		})
	})(ctx, 100*crowd)
	if most, left := m.most.Load(), m.left.Load(); err != nil || most != 1 || left != 100*crowd {
		return fmt.Errorf("%d calls ran, at most %d at a time, error %v; want %d, 1, nil", left, most, err, 100*crowd)
	}
	return nil
}

// checkFull returns an error unless the bulkhead rejects because its place is taken.
func checkFull(build func(taken bool) act) error {
	if err := passes(build(false)); err != nil {
		return err
	}
	ctx, cancel := request()
	defer cancel()
	return turnsAway(ctx, build(true))
}
