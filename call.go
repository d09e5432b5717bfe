package mettle

import (
	"context"

	"github.com/mettle-go/mettle/internal/clock"
)

// Call runs fn under p and returns fn's value.
//
// With a nil error the value is that of the run that succeeded. With an error it is the zero value of
// T, whatever fn returned beside its error. A Stack, or a policy of this module, runs fn without a
// closure of its own; another Policy costs four allocations more. A nil policy panics.
func Call[T any](ctx context.Context, p Policy, fn func(context.Context) (T, error)) (T, error) {
	var v T
	var err error
	if s, ok := p.(*Stack); ok {
		v, err = run(ctx, s, 0, s.entry(clock.Unread), fn)
	} else {
		v, err = single(ctx, p, clock.Unread, fn)
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

// Bind returns fn with p around each call of it. It panics if p or fn is nil.
func Bind[T any](p Policy, fn func(context.Context) (T, error)) func(context.Context) (T, error) {
	mustHave("Bind", p, fn == nil)
	return func(ctx context.Context) (T, error) { return Call(ctx, p, fn) }
}

// Wrap returns fn, a function of one argument, with p around each call of it: a decorator. It panics if p or fn is nil.
func Wrap[A, T any](p Policy, fn func(context.Context, A) (T, error)) func(context.Context, A) (T, error) {
	mustHave("Wrap", p, fn == nil)
	return func(ctx context.Context, a A) (T, error) {
		return Call(ctx, p, func(ctx context.Context) (T, error) { return fn(ctx, a) })
	}
}

func mustHave(maker string, p Policy, noFn bool) {
	if p == nil {
		panic("mettle: " + maker + ": the policy is nil, want a Policy")
	}
	if noFn {
		panic("mettle: " + maker + ": the function is nil, want a function")
	}
}
