package group_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		early, late := &resource{closed: &closed}, &resource{closed: &closed}
		var cause, ctxErr error
		begin := time.Now()
		done, pending := group.Wait(t.Context(), 2*time.Second,
			after(3*time.Second, late, nil), // heeds nothing, and is waited for
			after(time.Second, early, nil),
			after(time.Second, early, errBoom), // the value must not show
			func(ctx context.Context) (*resource, error) {
				deadline, _ := ctx.Deadline()
				if left := time.Until(deadline); left != 2*time.Second {
					t.Errorf("a deadline in %v, want 2s", left)
				}
				<-ctx.Done()
				cause, ctxErr = context.Cause(ctx), ctx.Err()
				return nil, cause
			},
			func(context.Context) (*resource, error) { panicsAt(); return nil, nil },
			func(context.Context) (*resource, error) { runtime.Goexit(); return nil, nil },
			func(ctx context.Context) (*resource, error) { <-ctx.Done(); return nil, nil },
		)
		if !slices.Equal(pending, []int{0, 3, 6}) || len(done) != 4 || time.Since(begin) != 3*time.Second {
			t.Fatalf("done %v, pending %v after %v", done, pending, time.Since(begin))
		}
		if done[1] != (group.Result[*resource]{Value: early}) || done[2] != (group.Result[*resource]{Err: errBoom}) || done[5].Err != group.ErrGoexit {
			t.Fatalf("done %v", done)
		}
		if p, ok := done[4].Err.(*group.PanicError); !ok || p.Value != errBoom {
			t.Fatalf("%v, want a *PanicError", done[4].Err)
		}
		if cause != group.ErrPending || !errors.Is(cause, context.DeadlineExceeded) || ctxErr != context.DeadlineExceeded {
			t.Fatalf("canceled with %v because of %v, want ErrPending", ctxErr, cause)
		}
		if late.times.Load() != 1 || early.times.Load() != 0 {
			t.Fatalf("closed %d and %d times, want the late one once", late.times.Load(), early.times.Load())
		}
	})
}

// Wait ends with the last function, not with the time.
func TestWaitAllDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		done, pending := group.Wait(t.Context(), time.Hour, after(time.Second, nil, nil), after(time.Second, nil, group.ErrNotStarted))
		if len(done) != 2 || done[1].Err != group.ErrNotStarted || pending != nil || time.Since(begin) != time.Second {
			t.Fatalf("done %v, pending %v after %v", done, pending, time.Since(begin))
		}
	})
}

// What ends late and not by a return is not hidden among the pending.
func TestWaitLatePanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, pending := group.Wait(t.Context(), time.Second,
			func(ctx context.Context) (int, error) { <-ctx.Done(); panicsAt(); return 0, nil },
			func(ctx context.Context) (int, error) { <-ctx.Done(); runtime.Goexit(); return 0, nil },
			func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, nil },
		)
		if p, ok := done[0].Err.(*group.PanicError); !ok || p.Value != errBoom || done[1].Err != group.ErrGoexit || !slices.Equal(pending, []int{2}) {
			t.Fatalf("done %v, pending %v", done, pending)
		}
	})
}

// trap is a result whose Close panics.
type trap struct{}

func (*trap) Close() error { panic(errBoom) }

func TestWaitTellsOfAPanicInClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, pending := group.Wait(t.Context(), time.Second, func(ctx context.Context) (*trap, error) { <-ctx.Done(); return &trap{}, nil })
		if p, ok := done[0].Err.(*group.PanicError); !ok || p.Value != errBoom || pending != nil {
			t.Fatalf("done %v, pending %v, want the panic done", done, pending)
		}
	})
}

func TestWaitWithTheEndOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { cancel(gone) })
		var cause error
		done, pending := group.Wait(ctx, time.Hour,
			after(time.Second, nil, nil),
			func(ctx context.Context) (*resource, error) {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return nil, nil
			},
		)
		if !slices.Equal(slices.Collect(maps.Keys(done)), []int{0}) || !slices.Equal(pending, []int{1}) || cause != gone {
			t.Fatalf("done %v, pending %v, cause %v", done, pending, cause)
		}
	})
}

func TestWaitWithNoTime(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(context.Context) (int, error) { t.Error("started"); return 0, nil }
	for _, c := range []struct {
		ctx context.Context
		d   time.Duration
	}{{t.Context(), 0}, {ended, time.Hour}} {
		done, pending := group.Wait(c.ctx, c.d, never, never, never)
		if done == nil || len(done) != 0 || !slices.Equal(pending, []int{0, 1, 2}) {
			t.Fatalf("done %v, pending %v, want all pending", done, pending)
		}
	}
	if done, pending := group.Wait[int](t.Context(), time.Hour); done == nil || len(done) != 0 || pending != nil {
		t.Fatalf("done %v, pending %v, want nothing", done, pending)
	}
}
