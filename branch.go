package mettle

import (
	"context"
	"reflect"
)

// A Branch is one of several overlapping runs of one call. Its results are held back until Keep or Drop.
type Branch struct {
	parent *Branch
	staged []staged
}

// staged is a result that waits for its branch to be kept.
type staged struct {
	owner  any     // the capture that staged it: a later result of the same one replaces it
	entry  *Branch // the branch in which that Call began
	settle func(keep bool)
}

type branchKey struct{}

// Fork starts a branch of the call that runs under ctx, for a policy that lets runs of fn overlap, as
// a hedge does. Give each run the context of its own branch; when all runs have ended, call Keep on the
// branch whose result counts, and on no other. It costs two allocations.
func Fork(ctx context.Context) (context.Context, *Branch) {
	b := &Branch{parent: branchOf(ctx)}
	return context.WithValue(ctx, branchKey{}, b), b
}

// Keep makes b's results those of the call. Call it at most once, before Do returns and after b's run
// has ended (a receive from the run's goroutine is enough; Branch has no lock).
func (b *Branch) Keep() {
	for _, s := range b.staged {
		// The parent is the branch in which the Call began: this fork was the last one between the result and
		// its caller. A nil parent ends the chain also where a policy handed on a context of its own.
		if b.parent == s.entry || b.parent == nil {
			s.settle(true)
		} else {
			b.parent.stage(s)
		}
	}
	b.staged = nil
}

// Drop releases b's results, those of a run that lost: each that has a method Close() error or Close() is closed, unless it is
// nil, and an error of Close is ignored. Other results are left to the garbage collector. Call it at most once, after b's run has
// ended, and not together with Keep.
func (b *Branch) Drop() {
	for _, s := range b.staged {
		s.settle(false)
	}
	b.staged = nil
}

// release closes v, if it can be closed. A pointer that is nil is no result, and most types' Close would panic.
func release(v any) {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		return
	}
	switch v := v.(type) {
	case interface{ Close() error }:
		v.Close()
	case interface{ Close() }:
		v.Close()
	}
}

func (b *Branch) stage(s staged) {
	for i := range b.staged {
		if b.staged[i].owner == s.owner {
			b.staged[i] = s
			return
		}
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
		b.stage(staged{owner: c, entry: c.entry, settle: func(keep bool) {
			if keep {
				c.value = v
			} else {
				release(v)
			}
		}})
		return
	}
	c.value = v
}
