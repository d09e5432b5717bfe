package group_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/mettle-go/mettle/group"
)

// untilStopped works until it is told to finish, which takes it some time.
func untilStopped(g *group.Group, finish time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		<-g.Stopping()
		select {
		case <-time.After(finish):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestStopLetsTasksFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(untilStopped(g, 3*time.Second))
			g.Go(untilStopped(g, time.Second))
			time.Sleep(time.Minute)
			g.Stop(5 * time.Second)
			if took := time.Since(begin); took != time.Minute {
				t.Errorf("Stop returned after %v, want at once", took-time.Minute)
			}
			if err := g.Context().Err(); err != nil {
				t.Errorf("within the grace the scope's context is %v", err)
			}
			return nil
		})
		if took := time.Since(begin); err != nil || took != time.Minute+3*time.Second {
			t.Fatalf("%v after %v, want nil when the slower task has finished", err, took)
		}
	})
}

func TestStopCutsOffWhatTakesLonger(t *testing.T) {
	for _, grace := range []time.Duration{0, 1, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			var cause error
			err := group.Run(t.Context(), func(g *group.Group) error {
				g.Go(func(ctx context.Context) error {
					<-ctx.Done()
					cause = context.Cause(ctx)
					return fmt.Errorf("gave up: %w", ctx.Err())
				})
				g.Go(func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
				g.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
				g.Stop(grace)
				return nil
			})
			e := wantCounts(t, err, 1, 0, 2, 0)
			if e.Cause != group.ErrStopped || !errors.Is(err, group.ErrStopped) || !errors.Is(cause, group.ErrStopped) {
				t.Errorf("Error.Cause %v, error %v, context's cause %v, want ErrStopped thrice", e.Cause, err, cause)
			}
			if errors.Is(err, context.Canceled) {
				t.Error("the error is a context's error, though the caller's context has not ended")
			}
			if want := "group: 2 of 3 tasks canceled: stopped"; err.Error() != want {
				t.Errorf("%q, want %q", err, want)
			}
			if took := time.Since(begin); took != grace {
				t.Errorf("cut off after %v, want %v", took, grace)
			}
		})
	}
}

func TestStopOnlyShortensTheGrace(t *testing.T) {
	const never = math.MaxInt64
	for _, tt := range []struct {
		graces []time.Duration // one second apart
		want   time.Duration
	}{
		{[]time.Duration{5 * time.Second}, 5 * time.Second},
		{[]time.Duration{5 * time.Second, 3 * time.Second}, 4 * time.Second},
		{[]time.Duration{5 * time.Second, 4 * time.Second}, 5 * time.Second},
		{[]time.Duration{5 * time.Second, time.Hour, 0}, 2 * time.Second},
		{[]time.Duration{0, time.Hour}, 0},
		{[]time.Duration{never, never, 7}, 2*time.Second + 7},
		{[]time.Duration{2 * time.Second, time.Hour, time.Hour, time.Hour}, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			var ended time.Duration
			_ = group.Run(t.Context(), func(g *group.Group) error {
				g.Go(func(ctx context.Context) error {
					<-ctx.Done()
					ended = time.Since(begin)
					return nil
				})
				for i, grace := range tt.graces {
					if i > 0 {
						time.Sleep(time.Second)
					}
					g.Stop(grace)
				}
				return nil
			})
			if ended != tt.want {
				t.Errorf("%v: canceled after %v, want %v", tt.graces, ended, tt.want)
			}
		})
	}
}

func TestGoAfterStop(t *testing.T) {
	for _, limit := range []int{0, 2} {
		synctest.Test(t, func(t *testing.T) {
			err := group.RunWith(t.Context(), group.Config{Limit: limit}, func(g *group.Group) error {
				g.Go(untilStopped(g, time.Second))
				g.Stop(time.Hour)
				for range 3 {
					g.Go(func(context.Context) error { t.Error("a stopped scope started a task"); return nil })
				}
				return nil
			})
			e := wantCounts(t, err, 1, 0, 0, 3)
			if e.Cause != group.ErrStopped || !errors.Is(err, group.ErrStopped) {
				t.Errorf("cause %v, error %v, want ErrStopped", e.Cause, err)
			}
			if want := "group: 3 of 4 tasks never started: stopped"; err.Error() != want {
				t.Errorf("%q, want %q", err, want)
			}
		})
	}
}

// What waits for a place has not been started, and is not when the scope is stopped.
func TestStopDropsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var waited time.Duration
		never := func(context.Context) error { t.Error("a stopped scope started a task"); return nil }
		err := group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
			g.Go(func(context.Context) error {
				time.Sleep(time.Second) // the body waits by now, so these are queued
				g.Go(never)
				g.Go(never)
				g.Stop(time.Hour)
				time.Sleep(time.Second)
				return nil
			})
			g.Go(never)
			waited = time.Since(begin)
			g.Go(never)
			return nil
		})
		wantCounts(t, err, 1, 0, 0, 4)
		if waited != time.Second {
			t.Errorf("Go waited %v, want it let go by Stop after 1s", waited)
		}
	})
}

func TestStoppingIsClosedOnceTheScopeShouldEnd(t *testing.T) {
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	var after <-chan struct{}
	err := group.Run(t.Context(), func(g *group.Group) error {
		before := g.Stopping()
		if closed(before) {
			t.Error("closed before Stop")
		}
		g.Stop(time.Hour)
		if !closed(before) || !closed(g.Stopping()) {
			t.Error("not closed by Stop")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	_ = group.Run(t.Context(), func(g *group.Group) error {
		g.Stop(time.Hour)
		if !closed(g.Stopping()) {
			t.Error("not closed where it is asked for after Stop only")
		}
		return nil
	})
	_ = group.Run(t.Context(), func(g *group.Group) error {
		g.Go(fail)
		<-g.Stopping() // or this hangs
		return nil
	})
	_ = group.Run(t.Context(), func(g *group.Group) error { after = g.Stopping(); return nil })
	if !closed(after) {
		t.Error("not closed by the end of Run")
	}
}

func TestStopAfterRunDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended *group.Group
		if err := group.Run(t.Context(), func(g *group.Group) error { ended = g; return nil }); err != nil {
			t.Fatal(err)
		}
		ended.Stop(0)
		ended.Stop(time.Second)
		time.Sleep(time.Minute)
		if cause := context.Cause(ended.Context()); cause != context.Canceled {
			t.Errorf("the ended scope's cause is %v", cause)
		}
	})
}

// A timer that is left set keeps what it would cancel.
func TestStopTimerEndsWithTheScope(t *testing.T) {
	var left []weak.Pointer[group.Group]
	for range 10 {
		_ = group.Run(t.Context(), func(g *group.Group) error {
			left = append(left, weak.Make(g))
			g.Stop(2 * time.Hour)
			g.Stop(time.Hour)
			return nil
		})
		var ended *group.Group
		_ = group.Run(t.Context(), func(g *group.Group) error { ended = g; return nil })
		ended.Stop(time.Hour) // too late to set one
		left = append(left, weak.Make(ended))
	}
	runtime.GC()
	runtime.GC()
	for _, g := range left {
		if g.Value() != nil {
			t.Fatal("an ended scope is still reachable")
		}
	}
}

func TestStopAndOtherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("user left")
		// The caller leaves within the grace: that is the cause.
		ctx, cancel := context.WithCancelCause(t.Context())
		err := group.Run(ctx, func(g *group.Group) error {
			g.Go(untilCanceled)
			g.Stop(time.Hour)
			cancel(gone)
			return nil
		})
		if e := wantCounts(t, err, 0, 0, 1, 0); e.Cause != gone || errors.Is(err, group.ErrStopped) {
			t.Errorf("cause %v, error %v, want the caller's", e.Cause, err)
		}

		// The caller leaves after the grace: the error is both.
		ctx, cancel = context.WithCancelCause(t.Context())
		err = group.Run(ctx, func(g *group.Group) error {
			g.Go(untilCanceled)
			g.Stop(0)
			cancel(gone)
			return nil
		})
		e := wantCounts(t, err, 0, 0, 1, 0)
		if e.Cause != group.ErrStopped || !errors.Is(err, group.ErrStopped) || !errors.Is(err, gone) || !errors.Is(err, context.Canceled) {
			t.Errorf("cause %v, error %v, want it to be stopped, canceled and %v", e.Cause, err, gone)
		}

		// A task fails within the grace, by an error of its own that only looks like the stop's.
		err = group.Run(t.Context(), func(g *group.Group) error {
			g.Go(untilCanceled)
			g.Go(func(context.Context) error { return errBoom })
			g.Stop(time.Hour)
			return nil
		})
		if e := wantCounts(t, err, 0, 1, 1, 0); e.Cause != errBoom || errors.Is(err, group.ErrStopped) {
			t.Errorf("cause %v, error %v, want boom", e.Cause, err)
		}
		err = group.Run(t.Context(), func(g *group.Group) error {
			g.Go(untilCanceled)
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return group.ErrStopped })
			g.Stop(time.Second)
			return nil
		})
		wantCounts(t, err, 0, 1, 1, 0)
	})
}

// An inner scope's stop is its own affair; an outer one's reaches in.
func TestStopNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := func(ctx context.Context) error {
			return group.Run(ctx, func(g *group.Group) error { g.Go(untilCanceled); return nil })
		}
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(inner)
			g.Stop(time.Second)
			return nil
		})
		wantCounts(t, err, 0, 0, 1, 0)

		err = group.Run(t.Context(), func(g *group.Group) error {
			g.Go(func(ctx context.Context) error {
				return group.Run(ctx, func(g *group.Group) error { g.Go(untilCanceled); g.Stop(0); return nil })
			})
			return nil
		})
		if wantCounts(t, err, 0, 1, 0, 0); !errors.Is(err, group.ErrStopped) {
			t.Errorf("%v, want what the inner scope said", err)
		}
	})
}

// What errors of stopped scopes have for Split and Handle to work with.
func TestStoppedErrorIsHandled(t *testing.T) {
	err := group.Run(t.Context(), func(g *group.Group) error { g.Go(untilCanceled); g.Stop(0); return nil })
	var handled []error
	left := group.Handle(err, group.If(func(err error) bool { return errors.Is(err, group.ErrStopped) }, func(e *group.Error) error {
		handled = append(handled, e)
		return nil
	}))
	if left != nil || !slices.Equal(handled, []error{err}) {
		t.Errorf("handled %v, left %v, want all of it handled", handled, left)
	}
	if got, want := fmt.Sprintf("%+v", err), "group: 1 of 1 task canceled\n\tcanceled by: stopped"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestStopPanics(t *testing.T) {
	_ = group.Run(t.Context(), func(g *group.Group) error {
		wantPanic(t, "group: Stop: grace is -1ns, want 0 or more", func() { g.Stop(-1) })
		return nil
	})
}
