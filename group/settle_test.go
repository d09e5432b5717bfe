package group_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
)

func TestSettleTriesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p peak
		got := group.Settle(t.Context(), upTo(100), group.Config{Limit: 7}, func(_ context.Context, n int) (int, error) {
			p.hold(func() { time.Sleep(time.Duration(100-n) * time.Second) })
			switch n % 10 {
			case 3:
				return 99, errBoom // the value must not show
			case 5:
				panicsAt()
			case 7:
				runtime.Goexit()
			}
			return n, nil
		})
		if len(got) != 100 || p.most.Load() != 7 {
			t.Fatalf("%d results, %d at a time, want 100, 7", len(got), p.most.Load())
		}
		for i, r := range got {
			switch i % 10 {
			case 3:
				if r.Value != 0 || r.Err != errBoom {
					t.Fatalf("item %d: %+v, want errBoom itself", i, r)
				}
			case 5:
				if p, ok := r.Err.(*group.PanicError); r.Value != 0 || !ok || p.Value != errBoom {
					t.Fatalf("item %d: %+v, want a *PanicError", i, r)
				}
			case 7:
				if r.Value != 0 || r.Err != group.ErrGoexit {
					t.Fatalf("item %d: %+v, want ErrGoexit", i, r)
				}
			default:
				if r.Value != i || r.Err != nil {
					t.Fatalf("item %d: %+v, want %d", i, r, i)
				}
			}
		}
	})
}

func TestSettleStopsAtTheNthFailure(t *testing.T) {
	for _, last := range []func(){func() {}, panicsAt, runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			got := group.Settle(t.Context(), upTo(10), group.Config{Limit: 3, MaxFailures: 2}, func(ctx context.Context, n int) (int, error) {
				switch n {
				case 0:
					panicsAt() // one failure, which cancels nobody
				case 1:
					return 1, untilCanceled(ctx)
				case 2:
					<-ctx.Done()
					return 2, nil
				case 3:
					time.Sleep(time.Second)
					last()
				}
				return 3, errBoom
			})
			if _, ok := got[0].Err.(*group.PanicError); !ok || got[1].Err != context.Canceled || got[1].Value != 0 {
				t.Fatalf("%+v, want a panic, then a cancellation", got[:2])
			}
			if got[2] != (group.Result[int]{Value: 2}) || got[3].Err == nil || got[3].Err == group.ErrNotStarted {
				t.Fatalf("%+v, want a success and a failure", got[2:4])
			}
			for i, r := range got[4:] {
				if r != (group.Result[int]{Err: group.ErrNotStarted}) {
					t.Fatalf("item %d: %+v, want ErrNotStarted", i+4, r)
				}
			}
		})
	}
}

func TestSettleWithTheEndOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		got := group.Settle(ctx, upTo(3), group.Config{Limit: 2}, func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			return n, []error{nil, context.Cause(ctx)}[n]
		})
		want := []group.Result[int]{{}, {Err: gone}, {Err: group.ErrNotStarted}}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("item %d: %+v, want %+v", i, got[i], want[i])
			}
		}
	})
}

func TestSettleOfNothing(t *testing.T) {
	if got := group.Settle(t.Context(), nil, group.Config{}, double); got == nil || len(got) != 0 {
		t.Fatalf("%v, want an empty slice", got)
	}
}

// A policy is around the function itself, so that what a hedge's loser returns is seen, and closed, as what it is.
func TestSettlePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, closed atomic.Int32
		twice := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
			first, kept := mettle.Fork(ctx)
			second, dropped := mettle.Fork(ctx)
			err := errors.Join(fn(first), fn(second))
			kept.Keep()
			dropped.Drop()
			return err
		})
		policy := mettle.Compose(retry.New(retry.Config{Attempts: 2}), twice)
		got := group.Settle(t.Context(), upTo(10), group.Config{Policy: policy}, func(context.Context, int) (*resource, error) {
			return &resource{n: int(made.Add(1)), closed: &closed}, nil
		})
		for i, r := range got {
			if r.Err != nil || r.Value == nil || r.Value.times.Load() != 0 {
				t.Fatalf("item %d: %+v, want an open value", i, r)
			}
		}
		if made.Load() != 20 || closed.Load() != 10 {
			t.Fatalf("%d values made, %d closed, want 20, 10", made.Load(), closed.Load())
		}
	})
}

// resource is a value that must be closed once if nobody gets it.
type resource struct {
	n      int
	times  atomic.Int32
	closed *atomic.Int32 // counts all
}

func (r *resource) Close() error {
	r.times.Add(1)
	r.closed.Add(1)
	return io.ErrClosedPipe // which nobody should hear of
}

// Each function refuses what it has no use for, by name, before it does anything.
func TestItemsMisuse(t *testing.T) {
	never := func(context.Context, int) (int, error) { t.Error("called"); return 0, nil }
	neverAlone := func(context.Context) (int, error) { t.Error("called"); return 0, nil }
	bad, unordered := group.Config{Limit: -1}, group.Config{Unordered: true}
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { group.Settle(t.Context(), upTo(1), bad, never) }, "group: Config.Limit is -1, want 0 or more"},
		{func() { group.Settle(t.Context(), upTo(1), unordered, never) }, "group: Config.Unordered is true, want false in Settle"},
		{func() { group.Settle[int, int](t.Context(), nil, group.Config{}, nil) }, "group: Settle: fn is nil, want a function"},
		{func() { _, _ = group.Map(t.Context(), nil, unordered, never) }, "group: Config.Unordered is true, want false in Map"},
		{func() { _ = group.RunWith(t.Context(), unordered, nil) }, "group: Config.Unordered is true, want false in RunWith"},
		{func() { _, _ = group.First[int](t.Context()) }, "group: First: no functions, want 1 or more"},
		{func() { _, _ = group.First(t.Context(), neverAlone, nil) }, "group: First: function 1 is nil, want a function"},
		{func() { group.Wait[int](t.Context(), time.Second, nil) }, "group: Wait: function 0 is nil, want a function"},
		{func() { group.Wait(t.Context(), -1, neverAlone) }, "group: Wait: d is -1ns, want 0 or more"},
	} {
		func() {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("panics with %v, want %q", got, c.want)
				}
			}()
			c.do()
		}()
	}
}
