package group_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
)

func TestErrorMessage(t *testing.T) {
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("user left"))
	failing := func(_ context.Context, n int) (int, error) { return 0, fmt.Errorf("no\n%d", n) }
	run := func(cfg group.Config, tasks ...func(context.Context) error) func() error {
		return func() error {
			return group.RunWith(t.Context(), cfg, func(g *group.Group) error {
				for _, task := range tasks {
					g.Go(task)
				}
				return nil
			})
		}
	}
	mapped := func(ctx context.Context, n int, cfg group.Config) func() error {
		return func() error {
			_, err := group.Map(ctx, upTo(n), cfg, failing)
			return err
		}
	}
	for _, tt := range []struct {
		name string
		err  func() error
		want string
	}{
		{"one task", run(group.Config{}, fail), "group: 1 of 1 task failed: boom"},
		{"canceled", run(group.Config{}, untilCanceled, fail), "group: 1 of 2 tasks failed, 1 canceled: boom"},
		{"items", mapped(t.Context(), 5, group.Config{Limit: 1, MaxFailures: 2}),
			"group: 2 of 5 items failed, 3 never started: item 0: no; 0; item 1: no; 1"},
		{"many", mapped(t.Context(), 1000, group.Config{MaxFailures: -1}),
			"group: 1000 of 1000 items failed: item 0: no; 0; item 1: no; 1; item 2: no; 2; and 997 more"},
		{"parent", mapped(gone, 5, group.Config{}), "group: 5 of 5 items never started: context canceled: user left"},
		{"nested", run(group.Config{}, func(context.Context) error { return run(group.Config{}, exit)() }),
			"group: 1 of 1 task failed: 1 of 1 task failed: task ended by runtime.Goexit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := tt.err(); err == nil || err.Error() != tt.want {
					t.Fatalf("%v\nwant %s", err, tt.want)
				}
			})
		})
	}
}

func TestItemErrorMessage(t *testing.T) {
	err := &group.ItemError{Index: 3, Err: group.ErrGoexit}
	if want := "group: item 3: task ended by runtime.Goexit"; err.Error() != want {
		t.Fatalf("%q, want %q", err, want)
	}
}

func TestItemOutOfRange(t *testing.T) {
	_, err := group.Map(t.Context(), upTo(3), group.Config{}, func(context.Context, int) (int, error) { return 0, errBoom })
	e, _ := errors.AsType[*group.Error](err)
	wantPanic(t, "group: Error.Item of 3, want an index into 3 items", func() { _ = e.Item(3) })
	wantPanic(t, "group: Error.Item of -1, want an index into 3 items", func() { _ = e.Item(-1) })
	var none *group.Error
	if none.Item(7) != nil {
		t.Fatal("without an error every item succeeded")
	}
}

// The caller's context may have ended by a rejection. Functions of the scope ran all the same.
func TestAParentThatEndedByARejectionIsNoRejection(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	errShed := errors.New("shed")
	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			cancel(mettle.Reject("test", "", errShed, nil))
			<-ctx.Done()
			return ctx.Err()
		})
		return nil
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errShed) || errors.Is(err, mettle.ErrRejected) {
		t.Errorf("%v: want context.Canceled and its cause, and no ErrRejected", err)
	}
}
