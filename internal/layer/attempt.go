package layer

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/deadline"
)

// retrying counts the calls that are in their second or a later attempt, in the whole program. While it is zero no
// context carries a number, so that a first attempt need not look for one to hide.
var retrying atomic.Int64

// attempt is the context of all attempts of a call but the first. One serves them all: they follow each other.
type attempt struct {
	context.Context
	n atomic.Int32
}

type attemptKey struct{}

func (a *attempt) Value(key any) any {
	if key == (attemptKey{}) {
		return int(a.n.Load())
	}
	return a.Context.Value(key)
}

// String keeps the number, which changes, from being read by reflection when the context is printed.
func (a *attempt) String() string {
	return fmt.Sprintf("%s.Attempt(%d)", deadline.Name(a.Context), a.n.Load())
}

// AttemptFrom returns the number of the attempt that ctx belongs to, from 1.
func AttemptFrom(ctx context.Context) int {
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		return n
	}
	return 1
}

// First returns the context of a first attempt: ctx, unless an outer retry left its number there.
func First(ctx context.Context) context.Context {
	if retrying.Load() == 0 || AttemptFrom(ctx) == 1 {
		return ctx
	}
	a := &attempt{Context: ctx}
	a.n.Store(1)
	return a
}
