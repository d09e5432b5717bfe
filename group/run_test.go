package group_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/queue"
)

var errBoom = errors.New("boom")

// untilCanceled is a task that returns what a well-behaved call does when its context ends.
func untilCanceled(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func succeed(context.Context) error { return nil }
func fail(context.Context) error    { return errBoom }

// wantCounts checks that err is a *group.Error with these counts, and returns it.
func wantCounts(t *testing.T, err error, succeeded, failed, canceled, notStarted int) *group.Error {
	t.Helper()
	e, ok := err.(*group.Error)
	if !ok {
		t.Fatalf("error is %T (%v), want *group.Error itself", err, err)
	}
	got := [...]int{e.Succeeded, e.Failed, e.Canceled, e.NotStarted}
	if want := [...]int{succeeded, failed, canceled, notStarted}; got != want {
		t.Fatalf("succeeded, failed, canceled, not started = %v, want %v (%v)", got, want, err)
	}
	if len(e.Failures) != failed {
		t.Fatalf("%d Failures, want %d", len(e.Failures), failed)
	}
	return e
}

func TestRunReturnsWhenAllHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, ended := time.Now(), 0
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(func(context.Context) error {
				time.Sleep(time.Second)
				g.Go(func(context.Context) error { // by a task, after the body's return
					time.Sleep(time.Second)
					ended++
					return nil
				})
				return nil
			})
			return nil
		})
		if err != nil || ended != 1 || time.Since(begin) != 2*time.Second {
			t.Fatalf("err %v, %d ended after %v, want nil, 1, 2s", err, ended, time.Since(begin))
		}
	})
}

func TestRunFailureCancelsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(func(ctx context.Context) error {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return fmt.Errorf("wrapped: %w", ctx.Err())
			})
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
			g.Go(func(context.Context) error { time.Sleep(time.Second); return errBoom })
			<-g.Context().Done()
			g.Go(succeed) // never started
			return nil
		})
		e := wantCounts(t, err, 1, 1, 2, 1)
		if !errors.Is(err, errBoom) || !errors.Is(cause, errBoom) || e.Cause != errBoom {
			t.Fatalf("err %v, cause %v, Error.Cause %v, want boom thrice", err, cause, e.Cause)
		}
		if errors.Is(err, context.Canceled) {
			t.Fatal("the scope's own cancellation shows in its error")
		}
	})
}

func TestRunBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := group.Run(t.Context(), func(g *group.Group) error { g.Go(untilCanceled); return errBoom })
		if e := wantCounts(t, err, 0, 1, 1, 0); e.Cause != errBoom {
			t.Fatalf("cause %v, want the body's error", e.Cause)
		}
		err = group.Run(t.Context(), func(g *group.Group) error { g.Go(fail); return untilCanceled(g.Context()) })
		wantCounts(t, err, 0, 1, 1, 0)
		if err := group.Run(t.Context(), func(*group.Group) error { return nil }); err != nil {
			t.Fatalf("empty scope: %v, want nil", err)
		}
	})
}

func TestRunMaxFailures(t *testing.T) {
	for _, tt := range []struct{ max, fail, canceled int }{
		{0, 1, 1}, {1, 1, 1}, {3, 2, 0}, {3, 3, 1}, {-1, 50, 0},
	} {
		t.Run(fmt.Sprintf("%d of %d", tt.fail, tt.max), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				err := group.RunWith(t.Context(), group.Config{MaxFailures: tt.max}, func(g *group.Group) error {
					g.Go(func(ctx context.Context) error {
						select {
						case <-time.After(time.Hour):
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					})
					for i := range tt.fail {
						g.Go(func(context.Context) error {
							time.Sleep(time.Duration(i) * time.Second)
							return fmt.Errorf("failure %d", i)
						})
					}
					return nil
				})
				e := wantCounts(t, err, 1-tt.canceled, tt.fail, tt.canceled, 0)
				for i, err := range e.Failures {
					if err.Error() != fmt.Sprintf("failure %d", i) {
						t.Fatalf("Failures[%d] is %v: not in order", i, err)
					}
				}
				if tt.canceled == 1 && e.Cause != e.Failures[tt.fail-1] || tt.canceled == 0 && e.Cause != nil {
					t.Fatalf("cause is %v", e.Cause)
				}
			})
		})
	}
}

func TestRunParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("user left")
		parent, cancel := context.WithCancelCause(t.Context())
		err := group.Run(parent, func(g *group.Group) error {
			g.Go(untilCanceled)
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
			cancel(gone)
			return nil
		})
		e := wantCounts(t, err, 1, 0, 1, 0)
		if !errors.Is(err, gone) || !errors.Is(err, context.Canceled) || e.Cause != gone {
			t.Fatalf("err %v, cause %v, want what ended the parent", err, e.Cause)
		}

		err = group.Run(parent, func(g *group.Group) error {
			g.Go(func(context.Context) error { t.Error("a task was started"); return nil })
			return nil
		})
		if wantCounts(t, err, 0, 0, 0, 1); !errors.Is(err, gone) {
			t.Fatalf("err %v, want what ended the parent", err)
		}

		late, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		err = group.Run(late, func(g *group.Group) error { g.Go(untilCanceled); return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("err %v, want DeadlineExceeded", err)
		}
		err = group.Run(late, func(g *group.Group) error { return nil })
		if err != nil {
			t.Fatalf("nothing failed or was canceled, yet %v", err)
		}
	})
}

// An error that only looks like a cancellation is a failure.
func TestRunForeignCancellationIsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(func(context.Context) error { return context.Canceled })
			return nil
		})
		wantCounts(t, err, 0, 1, 0, 0)

		err = group.RunWith(t.Context(), group.Config{MaxFailures: 1}, func(g *group.Group) error {
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return context.DeadlineExceeded })
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return io.EOF })
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return errBoom }) // equal to the cause, but its own
			g.Go(func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) })
			g.Go(fail)
			return nil
		})
		wantCounts(t, err, 0, 4, 1, 0)
	})
}

func TestRunNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := func(cfg group.Config, tasks ...func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error {
				return group.RunWith(ctx, cfg, func(g *group.Group) error {
					for _, task := range tasks {
						g.Go(task)
					}
					return nil
				})
			}
		}
		late := func(context.Context) error { time.Sleep(time.Second); return errBoom }
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(inner(group.Config{}, untilCanceled, inner(group.Config{}, untilCanceled)))
			g.Go(late)
			return nil
		})
		wantCounts(t, err, 0, 1, 1, 0)

		err = group.Run(t.Context(), func(g *group.Group) error {
			g.Go(func(ctx context.Context) error { // the cause alone also tells that the outer scope did it
				return inner(group.Config{}, untilCanceled)(ctx).(*group.Error).Cause
			})
			g.Go(late)
			return nil
		})
		wantCounts(t, err, 0, 1, 1, 0)

		err = group.Run(t.Context(), func(g *group.Group) error {
			g.Go(inner(group.Config{MaxFailures: -1}, untilCanceled, func(context.Context) error { return io.EOF }))
			g.Go(late)
			return nil
		})
		if wantCounts(t, err, 0, 2, 0, 0); !errors.Is(err, io.EOF) {
			t.Fatalf("%v: the inner scope's own failure is lost", err)
		}
	})
}

// What cancels a scope may itself be the error of an inner one, or of a clean-up. A task that returns it as the reason why it
// gave up has not failed.
func TestACauseWithFailuresOfItsOwnIsToldOnce(t *testing.T) {
	causes := map[string]func(context.Context) error{
		"inner scope": func(ctx context.Context) error {
			return group.Run(ctx, func(*group.Group) error { return errBoom })
		},
		"clean-up": func(ctx context.Context) error { return group.Cleanup(ctx, time.Second, untilCanceled) },
	}
	cause := func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	waits := map[string]func(context.Context) error{
		"cause":           cause,
		"error and cause": func(ctx context.Context) error { return fmt.Errorf("poll: %w: %w", untilCanceled(ctx), cause(ctx)) },
		"queue":           func(ctx context.Context) error { _, err := queue.New[int](1).Get(ctx); return err },
		"inner scope": func(ctx context.Context) error {
			return group.Run(ctx, func(g *group.Group) error { g.Go(cause); return nil })
		},
	}
	for why, fail := range causes {
		for how, wait := range waits {
			t.Run(why+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					err := group.Run(t.Context(), func(g *group.Group) error {
						g.Go(wait)
						g.Go(fail)
						return nil
					})
					wantCounts(t, err, 0, 1, 1, 0)

					_, err = group.Map(t.Context(), []func(context.Context) error{wait, fail}, group.Config{}, func(ctx context.Context, fn func(context.Context) error) (int, error) {
						return 0, fn(ctx)
					})
					wantCounts(t, err, 0, 1, 1, 0)

					// But what it found out by itself is its own, wherever it stands beside the cause.
					err = group.Run(t.Context(), func(g *group.Group) error {
						g.Go(func(ctx context.Context) error {
							return errors.Join(wait(ctx), group.Run(context.WithoutCancel(ctx), func(*group.Group) error { return io.EOF }))
						})
						g.Go(fail)
						return nil
					})
					if wantCounts(t, err, 0, 2, 0, 0); !errors.Is(err, io.EOF) {
						t.Errorf("%v: the task's own failure is lost", err)
					}
				})
			})
		}
	}
}

func TestGoAfterRun(t *testing.T) {
	var leaked *group.Group
	if err := group.Run(t.Context(), func(g *group.Group) error { leaked = g; g.Go(succeed); return nil }); err != nil {
		t.Fatal(err)
	}
	if leaked.Context().Err() != context.Canceled {
		t.Fatal("the scope's context outlives it")
	}
	wantPanic(t, "group: Go after Run has returned", func() { leaked.Go(succeed) })
}

func TestMisuse(t *testing.T) {
	ctx := t.Context()
	body := func(*group.Group) error { return nil }
	wantPanic(t, "group: Run: body is nil, want a function", func() { _ = group.Run(ctx, nil) })
	wantPanic(t, "group: Go: fn is nil, want a function", func() {
		_ = group.Run(ctx, func(g *group.Group) error { g.Go(nil); return nil })
	})
	wantPanic(t, "group: Map: fn is nil, want a function", func() {
		_, _ = group.Map[int, int](ctx, nil, group.Config{}, nil)
	})
	for _, tt := range []struct {
		cfg  group.Config
		want string
	}{
		{group.Config{Limit: -1}, "group: Config.Limit is -1, want 0 or more"},
		{group.Config{MaxFailures: -2}, "group: Config.MaxFailures is -2, want -1 or more"},
	} {
		if err := tt.cfg.Validate(); err == nil || err.Error() != tt.want {
			t.Errorf("Validate: %v, want %s", err, tt.want)
		}
		wantPanic(t, tt.want, func() { _ = group.RunWith(ctx, tt.cfg, body) })
		wantPanic(t, tt.want, func() { _, _ = group.Map(ctx, []int(nil), tt.cfg, double) })
	}
	if err := (group.Config{MaxFailures: -1}).Validate(); err != nil {
		t.Error(err)
	}
}

func wantPanic(t *testing.T, want any, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic %v, want %v", got, want)
		}
	}()
	f()
}

func TestRunPolicy(t *testing.T) {
	twice := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		if err := fn(ctx); err == nil {
			return nil
		}
		return fn(ctx)
	})
	var runs []int
	err := group.RunWith(t.Context(), group.Config{Policy: twice, Limit: 1}, func(g *group.Group) error {
		for i := range 3 {
			first := true
			g.Go(func(context.Context) error {
				runs = append(runs, i)
				if first {
					first = false
					return errBoom
				}
				return nil
			})
		}
		return nil
	})
	if want := []int{0, 0, 1, 1, 2, 2}; err != nil || !slices.Equal(runs, want) {
		t.Fatalf("err %v, runs %v, want nil, %v", err, runs, want)
	}
}
