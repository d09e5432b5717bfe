package group_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
)

type racer = func(context.Context) (*resource, error)

// after returns a function that heeds no context and ends with r or, if that is nil, with err.
func after(d time.Duration, r *resource, err error) racer {
	return func(context.Context) (*resource, error) {
		time.Sleep(d)
		return r, err
	}
}

func TestFirstSuccessWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var closed atomic.Int32
		slow, fast, last := &resource{closed: &closed}, &resource{closed: &closed}, &resource{closed: &closed}
		var cause error
		begin := time.Now()
		got, err := group.First(t.Context(),
			after(3*time.Second, slow, nil),
			after(time.Second, nil, errBoom), // fails before, and is no reason to end
			after(2*time.Second, fast, nil),
			func(ctx context.Context) (*resource, error) {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return nil, nil // a nil pointer is not closed
			},
			after(4*time.Second, last, nil),
		)
		if got != fast || err != nil {
			t.Fatalf("%v, %v, want the second value", got, err)
		}
		if cause != group.ErrLost || time.Since(begin) != 4*time.Second {
			t.Fatalf("canceled with %v and returned after %v, want ErrLost, 4s", cause, time.Since(begin))
		}
		if slow.times.Load() != 1 || last.times.Load() != 1 || fast.times.Load() != 0 {
			t.Fatalf("closed %d, %d and %d times, want the losers once", slow.times.Load(), last.times.Load(), fast.times.Load())
		}
	})
}

func TestFirstAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := errors.New("other")
		got, err := group.First(t.Context(), after(2*time.Second, &resource{}, errBoom), after(time.Second, nil, other),
			func(context.Context) (*resource, error) { runtime.Goexit(); return nil, nil })
		e := wantCounts(t, err, 0, 3, 0, 0)
		if got != nil || !errors.Is(e.Item(0), errBoom) || !errors.Is(e.Item(1), other) || !errors.Is(e.Item(2), group.ErrGoexit) || e.Cause != nil {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

func TestFirstRejections(t *testing.T) {
	reject := func(context.Context) (int, error) { return 0, mettle.Reject("door", "", errBoom, nil) }
	if _, err := group.First(t.Context(), reject, reject); !errors.Is(err, mettle.ErrRejected) {
		t.Fatalf("%v, want ErrRejected, since nothing ran", err)
	}
	if _, err := group.First(t.Context(), reject, func(context.Context) (int, error) { return 0, errBoom }); errors.Is(err, mettle.ErrRejected) {
		t.Fatalf("%v is ErrRejected, though a function ran", err)
	}
}

func TestFirstWithTheEndOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		obey := func(ctx context.Context) (*resource, error) { return nil, untilCanceled(ctx) }

		if r := new(resource); true {
			got, err := group.First(ctx, obey, after(2*time.Second, r, nil))
			if got != r || err != nil {
				t.Fatalf("%v, %v, want the value that came all the same", got, err)
			}
		}
		_, err := group.First(ctx, obey, obey)
		wantCounts(t, err, 0, 0, 0, 2)
		if !errors.Is(err, gone) || !errors.Is(err, context.Canceled) {
			t.Fatalf("%v, want what ended the context", err)
		}
	})
}

func TestFirstPanic(t *testing.T) {
	for name, at := range map[string]time.Duration{"before": time.Second, "after": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var closed atomic.Int32
				r := &resource{closed: &closed}
				begin := time.Now()
				got, err := group.First(t.Context(),
					after(2*time.Second, r, nil),
					func(context.Context) (*resource, error) { time.Sleep(at); panicsAt(); return nil, nil },
					func(ctx context.Context) (*resource, error) {
						<-ctx.Done()
						if time.Since(begin) != min(at, 2*time.Second) {
							t.Errorf("canceled after %v", time.Since(begin))
						}
						return nil, ctx.Err()
					},
				)
				e := wantCounts(t, err, 1, 1, 1, 0)
				if p, ok := errors.AsType[*group.PanicError](e.Item(1)); got != nil || !ok || p.Value != errBoom {
					t.Fatalf("%v, %v, want the panic of function 1", got, err)
				}
				if r.times.Load() != 1 {
					t.Fatalf("the value was closed %d times, want once", r.times.Load())
				}
				if errors.Is(err, group.ErrLost) || errors.Is(err, context.Canceled) {
					t.Fatalf("%v is the scope's own cancellation", err)
				}
			})
		})
	}
}

func TestFirstReleasesPlainClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan struct{})
		got, err := group.First(t.Context(),
			func(context.Context) (closer, error) { time.Sleep(time.Second); return func() {}, nil },
			func(context.Context) (closer, error) { time.Sleep(time.Minute); return func() { close(closed) }, nil },
		)
		if got == nil || err != nil {
			t.Fatalf("%p, %v", got, err)
		}
		<-closed
	})
}

type closer func()

func (c closer) Close() { c() }
