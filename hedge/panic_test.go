package hedge_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

// A panic of the first run, and its runtime.Goexit, pass through when the others have been canceled, waited for and released.
func TestFirstRunThatDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": runtime.Goexit} {
		for _, hedgeTakes := range []time.Duration{s / 2, 9 * s} { // the hedge has won, or still runs
			synctest.Test(t, func(t *testing.T) {
				var runs atomic.Int64
				var other conn
				var ended atomic.Bool
				var cause error
				var recovered any
				returned := false
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() {
						recovered = recover()
						if !ended.Load() {
							t.Errorf("%s: the hedge outlived the call", name)
						}
					}()
					mettle.Call(t.Context(), unhurried(), func(ctx context.Context) (*conn, error) {
						if runs.Add(1) == 1 {
							time.Sleep(2 * s)
							leave()
						}
						defer ended.Store(true)
						select {
						case <-ctx.Done():
							cause = context.Cause(ctx)
						case <-time.After(hedgeTakes):
						}
						return &other, nil
					})
					returned = true
				}()
				<-done
				if returned || name == "panic" && recovered != "boom" || runs.Load() != 2 {
					t.Errorf("%s: returned %t, recovered %v, %d runs", name, returned, recovered, runs.Load())
				}
				if n := other.closed.Load(); n != 1 {
					t.Errorf("%s: the hedge's result was closed %d times, want once", name, n)
				}
				if want := hedgeTakes > s; want != (cause == mettle.ErrUnfinished) {
					t.Errorf("%s: the hedge ended because of %v", name, cause)
				}
			})
		}
	}
}

// A hedge that ends its goroutine has failed, whatever Classify makes of errors that it does not know.
func TestHedgeThatEndsItsGoroutine(t *testing.T) {
	for _, firstFails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := hedge.New(hedge.Config{Delay: s, Budget: hedge.Unlimited, Classify: func(err error) mettle.Verdict {
				if err == errDown {
					return mettle.Failure
				}
				return mettle.Success
			}})
			var runs atomic.Int64
			n, err := mettle.Call(t.Context(), p, func(context.Context) (int64, error) {
				n := runs.Add(1)
				if n == 2 {
					runtime.Goexit()
				}
				time.Sleep(3 * s)
				if firstFails {
					return n, errDown
				}
				return n, nil
			})
			if !firstFails && (n != 1 || err != nil) {
				t.Errorf("%d, %v, want the first run's 1", n, err)
			}
			if firstFails && (err == nil || err.Error() != "hedge: all 2 runs failed: down; hedge: a run ended its goroutine") {
				t.Errorf("%v", err)
			}
		})
	}
}

// A panic of a hedge ends the program with the stack of where it came from.
func TestPanicOfAHedgeCrashes(t *testing.T) {
	if os.Getenv("HEDGE_TEST_CRASH") != "" {
		hedge.New(hedge.Config{Delay: 1}).Do(context.Background(), crashing(new(atomic.Int64)))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPanicOfAHedgeCrashes$")
	cmd.Env = append(os.Environ(), "HEDGE_TEST_CRASH=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: boom") || !strings.Contains(string(out), "hedge_test.boom(") {
		t.Errorf("%v, want a crash with the stack of the panic:\n%s", err, out)
	}
}

func crashing(runs *atomic.Int64) func(context.Context) error {
	return func(ctx context.Context) error {
		if runs.Add(1) == 2 {
			boom()
		}
		<-ctx.Done() // the crash comes first
		return ctx.Err()
	}
}

//go:noinline
func boom() { panic("boom") }
