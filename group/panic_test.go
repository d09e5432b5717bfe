package group_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func exit(context.Context) error { runtime.Goexit(); return nil }

//go:noinline
func panicsAt() { panic(errBoom) }

func TestRunPanic(t *testing.T) {
	for _, limit := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			err := group.RunWith(t.Context(), group.Config{MaxFailures: -1, Limit: 2}, func(g *group.Group) error {
				g.Go(untilCanceled)
				g.Go(func(context.Context) error { time.Sleep(time.Second); panicsAt(); return nil })
				if limit == 1 {
					g.Go(succeed) // waits for a place and never gets it
				}
				return nil
			})
			e := wantCounts(t, err, 0, 1, 1, limit)
			p, ok := e.Failures[0].(*group.PanicError)
			if !ok || e.Cause != error(p) {
				t.Fatalf("failure %T, cause %v, want the *PanicError twice", e.Failures[0], e.Cause)
			}
			if p.Value != errBoom || !errors.Is(err, errBoom) {
				t.Fatalf("value %v, want boom", p.Value)
			}
			if !strings.Contains(string(p.Stack), "panicsAt") || !strings.Contains(p.Error(), "panicsAt at panic_test.go:") {
				t.Fatalf("nothing leads to where it panicked: %v\n%s", p, p.Stack)
			}
		})
	}
}

func noMap() map[string]int { return nil }

func TestRunPanicValues(t *testing.T) {
	for _, tt := range []struct {
		name  string
		panic func()
		want  string
	}{
		{"text", func() { panic("two\nlines") }, "group: panic: two; lines ["},
		{"nil", func() { panic(nil) }, "group: panic: panic called with nil argument"},
		{"runtime", func() { noMap()["a"]++ }, "group: panic: assignment to entry in nil map ["},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := group.Run(t.Context(), func(g *group.Group) error {
				g.Go(func(context.Context) error { tt.panic(); return nil })
				return nil
			})
			p, ok := errors.AsType[*group.PanicError](err)
			if !ok || !strings.HasPrefix(p.Error(), tt.want) || !strings.Contains(p.Error(), "panic_test.go") {
				t.Fatalf("%v, want %s…", p, tt.want)
			}
			if _, isErr := p.Value.(error); isErr != (errors.Unwrap(p) != nil) {
				t.Fatalf("Unwrap is %v of %T", errors.Unwrap(p), p.Value)
			}
		})
	}
}

func TestRunGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		err := group.Run(t.Context(), func(g *group.Group) error { g.Go(untilCanceled); g.Go(exit); return nil })
		if e := wantCounts(t, err, 0, 1, 1, 0); e.Cause != group.ErrGoexit {
			t.Fatalf("cause %v, want ErrGoexit", e.Cause)
		}
		// The place of a task that ended its goroutine goes to the next in the queue.
		err = group.RunWith(t.Context(), group.Config{MaxFailures: -1, Limit: 1}, func(g *group.Group) error {
			for range 10 {
				g.Go(exit)
				g.Go(succeed)
			}
			return nil
		})
		wantCounts(t, err, 10, 10, 0, 0)
	})
}

func TestRunBodyPanics(t *testing.T) {
	for name, leave := range map[string]func(){"panic": panicsAt, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended, recovered := false, any(nil)
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { recovered = recover() }()
					_ = group.Run(t.Context(), func(g *group.Group) error {
						g.Go(func(ctx context.Context) error {
							<-ctx.Done()
							time.Sleep(time.Second)
							ended = true
							return nil
						})
						leave()
						return nil
					})
					t.Error("Run returned")
				}()
				<-done
				if !ended {
					t.Fatal("the task had not ended when Run did")
				}
				if want := map[string]any{"panic": errBoom, "Goexit": nil}[name]; recovered != want {
					t.Fatalf("recovered %v, want %v", recovered, want)
				}
			})
		})
	}
}
