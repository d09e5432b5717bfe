package group_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func TestCleanupOutlivesItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "tenant"), time.Second)
		defer cancel()
		<-ctx.Done()
		var during context.Context
		err := group.Cleanup(ctx, 5*time.Second, func(ctx context.Context) error {
			during = ctx
			if ctx.Value(key{}) != "tenant" {
				t.Error("the values are lost")
			}
			if left, ok := ctx.Deadline(); !ok || time.Until(left) != 5*time.Second {
				t.Errorf("the deadline is in %v, %v, want 5s", time.Until(left), ok)
			}
			select {
			case <-ctx.Done():
				t.Error("canceled with its parent")
			case <-time.After(5*time.Second - 1):
			}
			return errBoom
		})
		if took := time.Since(begin); !errors.Is(err, errBoom) || took != 6*time.Second-1 {
			t.Errorf("%v after %v, want boom once fn has ended", err, took)
		}
		if during.Err() != context.Canceled {
			t.Errorf("after Cleanup its context is %v, want it canceled", during.Err())
		}
	})
}

func TestCleanupTimeIsUp(t *testing.T) {
	tests := []struct {
		name string
		fn   func(ctx context.Context) error
		want string // "" means no error
	}{
		{"returns what the context says", untilCanceled, "group: clean-up: time was up after 5s"},
		{"returns the cause", func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, "group: clean-up: time was up after 5s"},
		{"returns its own", func(ctx context.Context) error { <-ctx.Done(); return errBoom }, "group: clean-up: time was up after 5s: boom"},
		{"does not look", func(context.Context) error { time.Sleep(time.Minute); return os.ErrDeadlineExceeded }, "group: clean-up: time was up after 5s: i/o timeout"},
		{"is done all the same", func(ctx context.Context) error { <-ctx.Done(); return nil }, ""},
		{"has a shorter timeout within", func(context.Context) error { return os.ErrDeadlineExceeded }, "group: clean-up: i/o timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				err := group.Cleanup(t.Context(), 5*time.Second, func(ctx context.Context) error {
					err := tt.fn(ctx)
					cause = context.Cause(ctx)
					return err
				})
				if got := fmt.Sprint(err); got != tt.want && !(tt.want == "" && err == nil) {
					t.Fatalf("%q, want %q", got, tt.want)
				}
				up, ok := err.(*group.CleanupError)
				if want := strings.HasPrefix(tt.want, "group:"); ok != want {
					t.Fatalf("%T, want a *CleanupError: %v", err, want)
				}
				if !ok {
					return
				}
				if !strings.Contains(tt.want, "time was up") {
					if up.After != 0 || up.Timeout() || errors.Is(err, context.DeadlineExceeded) != errors.Is(up.Err, context.DeadlineExceeded) {
						t.Errorf("%#v says that the time was up", up)
					}
					return
				}
				if up.After != 5*time.Second || up.Err == nil || !errors.Is(err, up.Err) || !errors.Is(err, context.DeadlineExceeded) || !up.Timeout() {
					t.Errorf("%#v is not the timeout of 5s and what the function returned", up)
				}
				if own, ok := cause.(*group.CleanupError); !ok || own.After != 5*time.Second || own.Err != nil {
					t.Errorf("the cause of the context is %#v", cause)
				}
			})
		})
	}
}

// A clean-up that fails is a failure, also when the scope's own deadline made it necessary.
func TestCleanupFailureIsTheTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		err := group.Run(ctx, func(g *group.Group) error {
			g.Go(func(ctx context.Context) error {
				<-ctx.Done()
				return errors.Join(ctx.Err(), group.Cleanup(ctx, time.Second, untilCanceled))
			})
			g.Go(func(ctx context.Context) error {
				<-ctx.Done()
				return errors.Join(ctx.Err(), group.Cleanup(ctx, time.Minute, func(context.Context) error { time.Sleep(2 * time.Second); return nil }))
			})
			return nil
		})
		wantCounts(t, err, 0, 1, 1, 0)
		if _, ok := errors.AsType[*group.CleanupError](err); !ok {
			t.Errorf("%v does not tell of the clean-up", err)
		}
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %v, want 3s: the scope waits for the slower clean-up", took)
		}
	})
}

// Joined with the cancellation that made it necessary, as the manual has it, a failed clean-up is still a failure.
func TestACleanupThatFailsInTimeIsHeardOf(t *testing.T) {
	errUndo := errors.New("roll back failed")
	ctx, cancel := context.WithCancel(t.Context())
	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			cancel()
			<-ctx.Done()
			return errors.Join(ctx.Err(), group.Cleanup(ctx, time.Minute, func(context.Context) error { return errUndo }))
		})
		return nil
	})
	wantCounts(t, err, 0, 1, 0, 0)
	if !errors.Is(err, errUndo) {
		t.Errorf("%v does not tell what failed", err)
	}
}

func TestCleanupPanics(t *testing.T) {
	ctx := t.Context()
	wantPanic(t, "group: Cleanup: d is 0s, want more than 0", func() { _ = group.Cleanup(ctx, 0, succeed) })
	wantPanic(t, "group: Cleanup: d is -1s, want more than 0", func() { _ = group.Cleanup(ctx, -time.Second, succeed) })
	wantPanic(t, "group: Cleanup: fn is nil, want a function", func() { _ = group.Cleanup(ctx, 1, nil) })

	var during context.Context
	wantPanic(t, errBoom, func() {
		_ = group.Cleanup(ctx, time.Hour, func(ctx context.Context) error { during = ctx; panic(errBoom) })
	})
	if during.Err() != context.Canceled {
		t.Errorf("after a panic the context is %v, want it canceled", during.Err())
	}
	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			defer func() {
				_ = group.Cleanup(ctx, time.Hour, func(ctx context.Context) error { during = ctx; return nil })
			}()
			runtime.Goexit()
			return nil
		})
		return nil
	})
	if wantCounts(t, err, 0, 1, 0, 0); !errors.Is(err, group.ErrGoexit) || during.Err() == nil {
		t.Errorf("%v, want the exit of the task, after its clean-up", err)
	}
}
