package group_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
)

func wantDetached(t *testing.T, running, stragglers int) {
	t.Helper()
	if r, s := group.Detached(); r != running || s != stragglers {
		t.Fatalf("%d detached functions run, %d of them stragglers, want %d and %d", r, s, running, stragglers)
	}
}

func TestDetachReturnsWhatFnReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		got, err := group.Detach(t.Context(), func() (string, error) {
			wantDetached(t, 1, 0)
			time.Sleep(time.Second)
			return "partial", io.ErrUnexpectedEOF
		})
		if got != "partial" || err != io.ErrUnexpectedEOF || time.Since(begin) != time.Second {
			t.Fatalf("%q, %v after %v, want partial and unexpected EOF after 1s", got, err, time.Since(begin))
		}
		wantDetached(t, 0, 0)
	})
}

func TestDetachLeavesAFunctionThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		slow := errors.New("page needed it by now")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, slow)
		defer cancel()
		var finished atomic.Bool
		got, err := group.Detach(ctx, func() (int, error) {
			time.Sleep(time.Minute)
			finished.Store(true)
			return 7, nil
		})
		if took := time.Since(begin); got != 0 || took != time.Second {
			t.Errorf("%d after %v, want nothing after 1s", got, took)
		}
		for _, target := range []error{group.ErrDetached, context.DeadlineExceeded, slow} {
			if !errors.Is(err, target) {
				t.Errorf("%v is not: %v", err, target)
			}
		}
		if errors.Is(err, mettle.ErrRejected) {
			t.Errorf("%v says that the function did not run", err)
		}
		if want := "group: left running: context deadline exceeded: page needed it by now"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		wantDetached(t, 1, 1)
		time.Sleep(time.Hour)
		if !finished.Load() {
			t.Error("the function did not go on")
		}
		wantDetached(t, 0, 0)
	})
}

// Why the context ended says nothing of the function, which does run.
func TestDetachLeftBecauseOfARejectionIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(mettle.Reject("breaker", "", errBoom, nil)) })
		_, err := group.Detach(ctx, func() (int, error) { time.Sleep(time.Minute); return 0, nil })
		if errors.Is(err, mettle.ErrRejected) || !errors.Is(err, errBoom) || !errors.Is(err, group.ErrDetached) {
			t.Errorf("%v, want ErrDetached and its cause, but no rejection", err)
		}
		synctest.Wait()
		time.Sleep(time.Hour)
	})
}

func TestDetachRejects(t *testing.T) {
	gone := errors.New("user left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	_, err := group.Detach(ctx, func() (int, error) { t.Error("ran though the context had ended"); return 0, nil })
	rejected, ok := errors.AsType[*mettle.RejectedError](err)
	if !ok || !errors.Is(err, mettle.ErrRejected) || !errors.Is(rejected.Reason, gone) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want a rejection because the user left", err)
	}
	if errors.Is(err, group.ErrDetached) {
		t.Errorf("%v says that the function runs", err)
	}
	wantDetached(t, 0, 0)
}

func TestDetachIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		hang := func() (int, error) { <-release; return 0, nil }
		for range group.MaxDetached / 2 { // left behind
			go func() { _, _ = group.Detach(ctx, hang) }()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		wantDetached(t, group.MaxDetached/2, group.MaxDetached/2)
		for range group.MaxDetached - group.MaxDetached/2 { // waited for
			go func() { _, _ = group.Detach(t.Context(), hang) }()
		}
		synctest.Wait()
		wantDetached(t, group.MaxDetached, group.MaxDetached/2)
		ran := false
		call := func() error {
			_, err := group.Detach(t.Context(), func() (int, error) { ran = true; return 0, nil })
			return err
		}
		if err := call(); ran || !errors.Is(err, group.ErrTooMany) || !errors.Is(err, mettle.ErrRejected) {
			t.Errorf("%v, ran: %v, want it rejected with ErrTooMany", err, ran)
		}
		wantDetached(t, group.MaxDetached, group.MaxDetached/2)
		close(release)
		synctest.Wait()
		wantDetached(t, 0, 0)
		if err := call(); !ran || err != nil {
			t.Errorf("%v, ran: %v, want room again", err, ran)
		}
	})
}

func TestDetachPanicAndGoexitWhileTheCallerWaits(t *testing.T) {
	_, err := group.Detach(t.Context(), func() (int, error) { panic(errBoom) })
	if p, ok := err.(*group.PanicError); !ok || p.Value != errBoom || !strings.Contains(string(p.Stack), "TestDetachPanicAndGoexit") {
		t.Errorf("%v, want a *PanicError with its stack", err)
	}
	_, err = group.Detach(t.Context(), func() (int, error) { runtime.Goexit(); return 0, nil })
	if err != group.ErrGoexit {
		t.Errorf("%v, want ErrGoexit", err)
	}
	wantDetached(t, 0, 0)
	wantPanic(t, "group: Detach: fn is nil, want a function", func() { _, _ = group.Detach[int](t.Context(), nil) })
}

// Of these panics nobody could hear: TestCrash wants them to end the program.
func init() {
	late := func(fn func() (any, error)) func() error {
		return func() error {
			ctx, cancel := context.WithCancel(context.Background())
			gone := make(chan struct{})
			_, err := group.Detach(ctx, func() (any, error) { cancel(); <-gone; return fn() })
			if !errors.Is(err, group.ErrDetached) {
				return err
			}
			close(gone)
			select {}
		}
	}
	crashes["Detach, caller left"] = late(func() (any, error) { crashesAt(); return nil, nil })
	crashes["Detach, caller left, Close"] = late(func() (any, error) { return bomb{}, nil })
}

// bomb is a result that cannot be closed.
type bomb struct{}

func (bomb) Close() { crashesAt() }

// tap is a result that must be closed if nobody takes it.
type tap struct{ closed *atomic.Int32 }

func (c tap) Close() { c.closed.Add(1) }

func TestDetachClosesLateResults(t *testing.T) {
	var closed atomic.Int32
	late := func(t *testing.T, fn func() (any, error)) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			v, err := group.Detach(ctx, func() (any, error) { time.Sleep(time.Minute); return fn() })
			if v != nil || !errors.Is(err, group.ErrDetached) {
				t.Fatalf("%v, %v, want the function left", v, err)
			}
			time.Sleep(time.Hour)
			wantDetached(t, 0, 0)
		})
	}
	r, w := io.Pipe()
	late(t, func() (any, error) { return tap{&closed}, nil })
	late(t, func() (any, error) { return w, nil })
	if _, err := r.Read(nil); closed.Load() != 1 || err != io.EOF {
		t.Errorf("closed %d times, the pipe says %v, want once and EOF", closed.Load(), err)
	}
	late(t, func() (any, error) { return (*io.PipeWriter)(nil), nil }) // or its Close panics
	late(t, func() (any, error) { return 7, nil })
	late(t, func() (any, error) { runtime.Goexit(); return tap{&closed}, nil })
	late(t, func() (any, error) { return tap{&closed}, errBoom })
	if v, err := group.Detach(t.Context(), func() (any, error) { return tap{&closed}, nil }); err != nil || v == nil {
		t.Fatal(v, err)
	}
	if closed.Load() != 1 {
		t.Errorf("closed %d times, want 1: the others were taken or came with an error", closed.Load())
	}
}

// stuck is a result whose Close takes its time.
type stuck struct{}

func (stuck) Close() error { time.Sleep(time.Minute); return nil }

func TestDetachCountsAStragglerUntilItsResultIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = group.Detach(ctx, func() (stuck, error) { time.Sleep(time.Minute); return stuck{}, nil })
		time.Sleep(time.Minute)
		wantDetached(t, 1, 1)
		time.Sleep(time.Minute)
		wantDetached(t, 0, 0)
	})
}

// Whoever is first, caller or function, nothing is lost: each result is returned or closed, and each call is counted out.
func TestDetachWhenBothEndAtOnce(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		synctest.Test(t, func(t *testing.T) {
			var made, closed, taken, left, rejected, unmade atomic.Int32
			const calls = 8
			for range calls {
				leaves, ends, how := time.Duration(rng.IntN(3)), time.Duration(rng.IntN(3)), rng.IntN(4)
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), leaves)
					defer cancel()
					v, err := group.Detach(ctx, func() (tap, error) {
						time.Sleep(ends)
						switch how {
						case 0:
							unmade.Add(1)
							return tap{}, errBoom
						case 1:
							unmade.Add(1)
							runtime.Goexit()
						}
						made.Add(1)
						return tap{&closed}, nil
					})
					switch {
					case err == nil && v.closed != nil:
						taken.Add(1)
					case errors.Is(err, group.ErrDetached):
						left.Add(1)
					case errors.Is(err, mettle.ErrRejected):
						rejected.Add(1)
					}
				}()
			}
			time.Sleep(time.Second)
			wantDetached(t, 0, 0)
			if made.Load() != taken.Load()+closed.Load() || made.Load()+unmade.Load()+rejected.Load() != calls || closed.Load() > left.Load() {
				t.Fatalf("seed %d: of %d results %d were taken and %d closed; %d calls were left, %d rejected",
					seed, made.Load(), taken.Load(), closed.Load(), left.Load(), rejected.Load())
			}
		})
	}
}

// In a scope, a task that leaves its function because the scope ends is canceled like any other.
func TestDetachInAScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		err := group.Run(t.Context(), func(g *group.Group) error {
			g.Go(func(ctx context.Context) error {
				_, err := group.Detach(ctx, func() (int, error) { time.Sleep(time.Hour); return 0, nil })
				return fmt.Errorf("query: %w", err)
			})
			g.Go(func(context.Context) error { time.Sleep(time.Second); return errBoom })
			return nil
		})
		wantCounts(t, err, 0, 1, 1, 0)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestDetachAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	fn := func() (int, error) { return 1, nil }
	if n := testing.AllocsPerRun(100, func() { _, _ = group.Detach(t.Context(), fn) }); n > 3 {
		t.Errorf("Detach allocates %v times, want at most 3", n)
	}
}
