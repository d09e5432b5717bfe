package group

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/discard"
)

// ErrLost is the cause of the context of a function that lost: First has the success of another.
var ErrLost = errors.New("group: another function was first")

// First runs all fns at the same time and returns the value of the first that succeeds.
//
// The others are then canceled, with the cause ErrLost, and First returns when all have ended. The value of one that
// succeeds nevertheless is released: if it has a method Close() error or Close(), and is no nil pointer, it is closed,
// and an error of Close is ignored.
//
// A function that fails leaves the others running, and its error is dropped if one of them succeeds. If none does, First
// returns the zero value of R and a *Error, which holds a *ItemError for each failure, with the index of the function. When
// ctx ends, so do the contexts of the functions, but one that succeeds nevertheless still wins. If ctx has ended already,
// none is started.
//
// A panic cancels the others, and First returns the *Error with its *PanicError even if a function has succeeded, or
// does later, the value of which is then released: no panic goes unnoticed.
//
// Each function runs in a goroutine of First's; one that ended early may be followed by another in the same. First panics
// if there are no fns or one is nil.
func First[R any](ctx context.Context, fns ...func(context.Context) (R, error)) (R, error) {
	if len(fns) == 0 {
		panic("group: First: no functions, want 1 or more")
	}
	mustBeFuncs("First", fns)
	var won atomic.Pointer[R]
	m := &mapping[func(context.Context) (R, error), struct{}]{items: fns, results: make([]struct{}, len(fns))}
	m.fn = func(ctx context.Context, fn func(context.Context) (R, error)) (struct{}, error) {
		v, err := fn(ctx)
		switch {
		case err != nil:
		case won.CompareAndSwap(nil, &v):
			m.cancel(ErrLost)
		default:
			discard.Close(v)
		}
		return struct{}{}, err
	}
	e := m.run(ctx, Config{Limit: len(fns), MaxFailures: -1})
	v := won.Load()
	if v != nil && !m.panicked.Load() {
		return *v, nil
	}
	if v != nil {
		discard.Close(*v)
	}
	var zero R
	return zero, e
}

func mustBeFuncs[R any](function string, fns []func(context.Context) (R, error)) {
	for i, fn := range fns {
		if fn == nil {
			panic(fmt.Sprintf("group: %s: function %d is nil, want a function", function, i))
		}
	}
}
