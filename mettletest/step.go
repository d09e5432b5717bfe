package mettletest

import (
	"context"
	"time"
)

// A Step is what a Script does in one call: any function that a policy can run.
type Step func(ctx context.Context) error

// Succeed returns nil.
func Succeed() Step { return func(context.Context) error { return nil } }

// Fail returns err, the same value each time.
func Fail(err error) Step { return func(context.Context) error { return err } }

// Hang waits for the end of the call's context and returns its error, as a dependency does that never answers. Under a context
// that never ends it never returns.
func Hang() Step {
	return func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
}

// Slow takes d, which is real time outside of a testing/synctest bubble, and then does what then does. If the context ends
// before, it returns the context's error at once.
func Slow(d time.Duration, then Step) Step {
	return func(ctx context.Context) error {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return then(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Deaf takes d, as Slow does, but does not look at the context meanwhile: a function that cannot be canceled.
func Deaf(d time.Duration, then Step) Step {
	return func(ctx context.Context) error {
		time.Sleep(d)
		return then(ctx)
	}
}

// Until waits for release to be closed, whatever the context says, and then does what then does. With it a test
// holds a call where it wants it.
func Until(release <-chan struct{}, then Step) Step {
	return func(ctx context.Context) error {
		<-release
		return then(ctx)
	}
}

// Panic panics with v.
func Panic(v any) Step { return func(context.Context) error { panic(v) } }
