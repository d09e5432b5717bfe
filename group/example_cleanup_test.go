package group_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// A transfer that is canceled is rolled back, with a context that lives on for that.
func ExampleCleanup() {
	rollback := func(ctx context.Context) error {
		fmt.Println("roll back:", ctx.Err() == nil)
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())

	transfer := func(ctx context.Context) (err error) {
		defer func() {
			if err != nil {
				err = errors.Join(err, group.Cleanup(ctx, 5*time.Second, rollback))
			}
		}()
		cancel() // the user leaves
		<-ctx.Done()
		return ctx.Err()
	}

	fmt.Println(transfer(ctx))
	// Output:
	// roll back: true
	// context canceled
}

func ExampleCleanupError() {
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

	err := group.Cleanup(context.Background(), time.Millisecond, hangs)
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// group: clean-up: time was up after 1ms
	// true
}

// longTasks runs tasks that would take ten seconds for two and a half. They see that they are canceled, clean up for a
// moment, and are waited for.
func longTasks(ctx context.Context, out io.Writer) error {
	begin := time.Now()
	logger := log.New(out, "", 0)
	say := func(text string, args ...any) {
		logger.Printf("%4.1fs  %s", time.Since(begin).Seconds(), fmt.Sprintf(text, args...))
	}
	ctx, cancel := context.WithTimeout(ctx, 2500*time.Millisecond)
	defer cancel()

	err := group.Run(ctx, func(g *group.Group) error {
		for i, tidies := range []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 500 * time.Millisecond} {
			tidy := func(ctx context.Context) error {
				select {
				case <-time.After(tidies):
					say("task %d has cleaned up", i+1)
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			g.Go(func(ctx context.Context) error {
				select {
				case <-time.After(10 * time.Second):
					return nil
				case <-ctx.Done():
					return errors.Join(ctx.Err(), group.Cleanup(ctx, time.Second, tidy))
				}
			})
		}
		say("three tasks are running")
		return nil
	})
	say("all have ended: %v", err)
	return err
}

// The example above in virtual time, so that its output is exact.
func TestExampleLongTasks(t *testing.T) {
	const want = `
 0.0s  three tasks are running
 2.6s  task 1 has cleaned up
 2.8s  task 2 has cleaned up
 3.0s  task 3 has cleaned up
 3.0s  all have ended: group: 3 of 3 tasks canceled: context deadline exceeded
`
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		err := longTasks(t.Context(), &out)
		if got := "\n" + out.String(); got != want {
			t.Errorf("printed:%swant:%s", got, want)
		}
		wantCounts(t, err, 0, 0, 3, 0)
	})
}
