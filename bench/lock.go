package main

import (
	"context"
	"sync"

	"github.com/mettle-go/mettle/lock"
)

func lockRows() []row {
	locked := func(timed func(act) loop) []contender {
		return append(
			contenders(locks(), struct{}{}, timed, checkLocks),
			contenders(patientLocks(), struct{}{}, timed, checkExcludes)...,
		)
	}
	return []row{
		{"lock/free", "lock, free", locked(succeeds(nothing))},
		{"lock/contended", "lock, 16 goroutines, the function returns at once", locked(together(crowd, nothing))},
		{"lock/yields", "lock, 16 goroutines, the function yields the processor", locked(together(crowd, yields))},
	}
}

// locks can be waited for until a context ends. A bulkhead with one place is one.
func locks() []rival[struct{}, act] {
	return []rival[struct{}, act]{
		{"mettle", func(*bed, struct{}) act {
			var m lock.Mutex
			return func(ctx context.Context, fn func(context.Context) error) error {
				if err := m.Lock(ctx); err != nil {
					return err
				}
				defer m.Unlock()
				return fn(ctx)
			}
		}},
		{"channel", func(b *bed, _ struct{}) act { return channelPlaces(b, 1) }},
		{"x/sync semaphore", func(b *bed, _ struct{}) act { return semaphorePlaces(b, 1) }},
	}
}

// patientLocks are waited for until they are free.
func patientLocks() []rival[struct{}, act] {
	return []rival[struct{}, act]{
		{"sync.Mutex, without a context", func(*bed, struct{}) act {
			var m sync.Mutex
			return func(ctx context.Context, fn func(context.Context) error) error {
				m.Lock()
				defer m.Unlock()
				return fn(ctx)
			}
		}},
	}
}

// checkLocks returns an error unless the lock excludes others, and one who waits for it gives up in time.
func checkLocks(build func(struct{}) act) error {
	if err := fills(build(struct{}{}), 1); err != nil {
		return err
	}
	return checkExcludes(build)
}

// checkExcludes returns an error unless calls run, and one by one.
func checkExcludes(build func(struct{}) act) error {
	if err := passes(build(struct{}{})); err != nil {
		return err
	}
	return exclusive(build(struct{}{}))
}
