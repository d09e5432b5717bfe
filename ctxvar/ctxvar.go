package ctxvar

import (
	"context"
	"log/slog"
)

// A Var is a value of type T that a context carries: one for each request, whatever passes the context on. New makes it.
//
// It holds no value itself, and is safe for concurrent use. Two variables are two, also if they have one name.
type Var[T any] struct{ name string }

// New returns a variable, unset in every context. The name is what logs call it. Call New once for each variable, for a
// package-level one. It panics if name is empty.
func New[T any](name string) *Var[T] {
	if name == "" {
		panic("ctxvar: New: name is empty, want one to log the variable by")
	}
	return &Var[T]{name: name}
}

// With returns a context below ctx in which v is x. In ctx itself, and what else is below it, v stays as it was.
//
// It costs two allocations.
func (v *Var[T]) With(ctx context.Context, x T) context.Context {
	// The context holds a pointer, so that Get needs no allocation to take the value out of an interface.
	return context.WithValue(ctx, v, &x)
}

// Get returns what v is in ctx, and whether it was set. If it was not, that is the zero T.
//
// It costs what ctx.Value does, which asks one context after the other up to the one that With returned; no allocation.
func (v *Var[T]) Get(ctx context.Context) (T, bool) {
	x, ok := ctx.Value(v).(*T)
	if !ok {
		var zero T
		return zero, false
	}
	return *x, true
}

// Or returns what v is in ctx, or def if it was not set.
func (v *Var[T]) Or(ctx context.Context, def T) T {
	if x, ok := v.Get(ctx); ok {
		return x
	}
	return def
}

// Attr returns v as an attribute for a log, and whether it was set in ctx. A value that is a slog.LogValuer is logged as it
// says, any other as slog.AnyValue does.
func (v *Var[T]) Attr(ctx context.Context) (slog.Attr, bool) {
	x, ok := v.Get(ctx)
	if !ok {
		return slog.Attr{}, false
	}
	return slog.Any(v.name, x), true
}

// String returns the name, which is also what a context printed by %v tells of v: never its value.
func (v *Var[T]) String() string { return v.name }
