package mettle

import (
	"context"

	"github.com/mettle-go/mettle/internal/deadline"
	"github.com/mettle-go/mettle/internal/discard"
)

// A Branch is one of several overlapping runs of one call. Its results are held back until Keep or Drop.
type Branch struct {
	parent *Branch
	staged []staged
	one    [1]staged // where staged begins: a branch of one Call has one result
}

// staged is a result that waits for its branch to be kept.
type staged struct {
	entry  *Branch // the branch in which the Call that staged it began
	result result
}

// result is a *held of some type.
type result interface {
	owner() any // the capture that staged it: a later result of the same one replaces it
	settle(keep bool)
}

type branchKey struct{}

// Fork starts a branch of the call that runs under ctx, for a policy that lets runs of fn overlap, as
// a hedge does. Give each run the context of its own branch; when all runs have ended, call Keep on the
// branch whose result counts, and on no other. It costs one allocation.
func Fork(ctx context.Context) (context.Context, *Branch) {
	f := &forked{Context: ctx}
	f.branch.parent = branchOf(ctx)
	return f, &f.branch
}

// forked is the context of a branch, and the branch.
type forked struct {
	context.Context
	branch Branch
}

func (f *forked) Value(key any) any {
	if key == (branchKey{}) {
		return &f.branch
	}
	return f.Context.Value(key)
}

// String keeps the branch, which has no lock, from being read when the context is printed.
func (f *forked) String() string { return deadline.Name(f.Context) + ".Fork" }

// Keep makes b's results those of the call. Call it at most once, before Do returns and after b's run
// has ended (a receive from the run's goroutine is enough; Branch has no lock).
func (b *Branch) Keep() {
	for _, s := range b.staged {
		// The parent is the branch in which the Call began: this fork was the last one between the result and
		// its caller. A nil parent ends the chain also where a policy handed on a context of its own.
		if b.parent == s.entry || b.parent == nil {
			s.result.settle(true)
		} else {
			b.parent.stage(s)
		}
	}
	b.forget()
}

// Drop releases b's results, those of a run that lost: each that has a method Close() error or Close() is closed, unless it is
// nil, and an error of Close is ignored. Other results are left to the garbage collector. Call it at most once, after b's run has
// ended, and not together with Keep.
func (b *Branch) Drop() {
	for _, s := range b.staged {
		s.result.settle(false)
	}
	b.forget()
}

// forget lets go of the results: a run's context may outlive them.
func (b *Branch) forget() { b.staged, b.one = nil, [1]staged{} }

func (b *Branch) stage(s staged) {
	for i := range b.staged {
		if b.staged[i].result.owner() == s.result.owner() {
			b.staged[i] = s
			return
		}
	}
	if b.staged == nil {
		b.staged = b.one[:0]
	}
	b.staged = append(b.staged, s)
}

func branchOf(ctx context.Context) *Branch {
	b, _ := ctx.Value(branchKey{}).(*Branch)
	return b
}

// capture carries one Call's result past a policy that runs fn as a closure.
type capture[T any] struct {
	entry *Branch
	value T
}

// put records the result v of a run under ctx: at once where that run is the only one, held back
// where it is a branch forked below the Call's own entry.
func (c *capture[T]) put(ctx context.Context, v T) {
	if b := branchOf(ctx); b != nil && b != c.entry {
		b.stage(staged{c.entry, &held[T]{c, v}})
		return
	}
	c.value = v
}

// held is a result that is not the Call's yet.
type held[T any] struct {
	of    *capture[T]
	value T
}

func (h *held[T]) owner() any { return h.of }

func (h *held[T]) settle(keep bool) {
	if keep {
		h.of.value = h.value
	} else {
		discard.Close(h.value)
	}
}
