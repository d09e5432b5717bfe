package group_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func TestStreamFailureEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := false
		seq := func(yield func(int) bool) {
			defer func() { stopped = true }()
			forever(yield)
		}
		var cause error
		// 0 to 3 are taken at once, 4 when 0 has been yielded.
		last := wantPairs(t, group.Stream(t.Context(), seq, group.Config{Limit: 2, MaxFailures: 2}, func(ctx context.Context, n int) (int, error) {
			if n == 1 {
				<-ctx.Done()
				cause = context.Cause(ctx)
				return 99, ctx.Err()
			}
			time.Sleep(time.Second)
			return 99, errBoom // the value must not show
		}), errBoom, context.Canceled, errBoom, group.ErrNotStarted, group.ErrNotStarted)
		e := wantCounts(t, last.Err(), 0, 2, 1, 2)
		item, ok := cause.(*group.ItemError)
		if !ok || item.Index != 2 || e.Cause != cause || !errors.Is(e, errBoom) || errors.Is(e, context.Canceled) {
			t.Fatalf("%v, cause %v, in the calls %v, want the failure of item 2", e, e.Cause, cause)
		}
		if got, want := e.Error(), "group: 2 of 5 items failed, 1 canceled, 2 never started: item 0: boom; item 2: boom"; got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if !stopped {
			t.Fatal("seq was not stopped")
		}
	})
}

// Any number of failures is allowed, so all goes through, and there is nothing to be told at the end.
func TestStreamOfManyFailures(t *testing.T) {
	n := 0
	for v, err := range group.Stream(t.Context(), count(1000), group.Config{MaxFailures: -1}, func(_ context.Context, n int) (int, error) {
		switch n % 3 {
		case 1:
			return 0, errBoom
		case 2:
			runtime.Goexit()
		}
		return n, nil
	}) {
		if v != []int{n, 0, 0}[n%3] || !errors.Is(err, []error{nil, errBoom, group.ErrGoexit}[n%3]) {
			t.Fatalf("pair %d: %d, %v", n, v, err)
		}
		n++
	}
	if n != 1000 {
		t.Fatalf("%d pairs, want 1000", n)
	}
}

// The account of a stream does not grow with its failures, but a panic is always in it.
func TestStreamKeepsSomeFailures(t *testing.T) {
	var last *group.Error
	for _, err := range group.Stream(t.Context(), forever, group.Config{Limit: 1, MaxFailures: -1}, func(_ context.Context, n int) (int, error) {
		if n == 300 {
			panicsAt()
		}
		return 0, fmt.Errorf("failure %d", n)
	}) {
		last, _ = err.(*group.Error)
	}
	_, isPanic := errors.AsType[*group.PanicError](last)
	if last.Failed != 301 || len(last.Failures) != 101 || !isPanic || last.Failures[99].(*group.ItemError).Index != 99 {
		t.Fatalf("%d failures, %d of them kept, a panic %v; want 301, 101, true", last.Failed, len(last.Failures), isPanic)
	}
	if last.Cause != last.Failures[100] {
		t.Fatalf("cause %v, want the panic", last.Cause)
	}

	last = nil
	for _, err := range group.Stream(t.Context(), forever, group.Config{Limit: 1, MaxFailures: 300}, func(context.Context, int) (int, error) { return 0, errBoom }) {
		last, _ = err.(*group.Error)
	}
	if last.Failed != 300 || len(last.Failures) != 300 {
		t.Fatalf("%d failures, %d of them kept, want 300 of 300", last.Failed, len(last.Failures))
	}
}

func TestStreamWithTheEndOfItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		fn := func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			return n, []error{nil, context.Cause(ctx), ctx.Err(), errBoom}[n]
		}
		last := wantPairs(t, group.Stream(ctx, forever, group.Config{Limit: 4}, fn),
			0, gone, context.Canceled, errBoom, group.ErrNotStarted, group.ErrNotStarted, group.ErrNotStarted, group.ErrNotStarted)
		wantCounts(t, last.Err(), 1, 1, 2, 4)
		if !errors.Is(last, gone) || !errors.Is(last, context.Canceled) || last.Cause != gone {
			t.Fatalf("%v, cause %v, want what ended the context", last, last.Cause)
		}

		// It has ended now.
		never := func(yield func(int) bool) { t.Error("seq was called") }
		last = wantPairs(t, group.Stream(ctx, never, group.Config{}, fn))
		wantCounts(t, last.Err(), 0, 0, 0, 0)
		if !errors.Is(last, gone) || !errors.Is(last, context.Canceled) || last.Cause != gone {
			t.Fatalf("%v, cause %v, want what ended the context", last, last.Cause)
		}
	})
}

// A seq that ends because the context does has not told all it has, and a loop must learn of it.
func TestStreamOfSequenceThatHeedsTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		seq := func(yield func(int) bool) {
			if yield(1) {
				<-ctx.Done()
			}
		}
		last := wantPairs(t, group.Stream(ctx, seq, group.Config{}, double), 2)
		if wantCounts(t, last.Err(), 1, 0, 0, 0); !errors.Is(last, context.Canceled) {
			t.Fatalf("%v, want the end of the context", last)
		}
	})
}

// late is a context whose end has not reached those derived from it.
type late struct {
	context.Context
	ended atomic.Bool
}

func (c *late) Done() <-chan struct{} { return make(chan struct{}) }

func (c *late) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// A seq may learn of the end before the scope does.
func TestStreamOfSequenceThatIsFirstToHearOfTheEnd(t *testing.T) {
	ctx := &late{Context: context.Background()}
	seq := func(yield func(int) bool) {
		yield(1)
		ctx.ended.Store(true)
	}
	last := wantPairs(t, group.Stream(ctx, seq, group.Config{MaxFailures: -1}, double), 2)
	if wantCounts(t, last.Err(), 1, 0, 0, 0); !errors.Is(last, context.Canceled) || last.Cause != context.Canceled {
		t.Fatalf("%v, cause %v, want the end of the context", last, last.Cause)
	}
}

func TestStreamPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := wantPairs(t, group.Stream(t.Context(), forever, group.Config{Limit: 2, MaxFailures: -1}, func(ctx context.Context, n int) (int, error) {
			switch n {
			case 0:
				return 0, untilCanceled(ctx)
			case 2:
				panicsAt()
			}
			return n, nil
		}), context.Canceled, 1, errBoom, group.ErrNotStarted)
		e := wantCounts(t, last.Err(), 1, 1, 1, 1)
		if p, ok := errors.AsType[*group.PanicError](e.Cause); !ok || p.Value != errBoom {
			t.Fatalf("cause %v, want the panic", e.Cause)
		}
	})
}

func TestStreamOfSequenceThatPanics(t *testing.T) {
	for name, end := range map[string]func(){"panic": panicsAt, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			seq := func(yield func(int) bool) {
				_ = yield(0) && yield(1)
				time.Sleep(time.Second)
				end()
			}
			last := wantPairs(t, group.Stream(t.Context(), seq, group.Config{MaxFailures: -1}, func(ctx context.Context, n int) (int, error) {
				if n == 1 {
					return 0, untilCanceled(ctx)
				}
				return n, nil
			}), 0, context.Canceled)
			e := wantCounts(t, last.Err(), 1, 1, 1, 0)
			if p, ok := e.Failures[0].(*group.PanicError); ok != (name == "panic") || ok && p.Value != errBoom {
				t.Fatalf("%s: %v", name, e.Failures)
			}
			if name == "Goexit" && e.Failures[0] != group.ErrGoexit || e.Cause != e.Failures[0] {
				t.Fatalf("%s: %v, cause %v", name, e.Failures, e.Cause)
			}
		})
	}
}

// The range statement of the language tells a seq that goes on after it was stopped.
func TestStreamOfSequenceThatDoesNotStop(t *testing.T) {
	seq := func(yield func(int) bool) {
		for i := range 100 {
			yield(i)
		}
	}
	var last *group.Error
	for _, err := range group.Stream(t.Context(), seq, group.Config{}, func(context.Context, int) (int, error) { return 0, errBoom }) {
		last, _ = err.(*group.Error)
	}
	if _, ok := errors.AsType[*group.PanicError](last); !ok {
		t.Fatalf("%v, want the panic of seq", last)
	}
}

// However the loop ends: the calls are canceled, and they and seq have ended before it has, and values are released.
func TestStreamLoopEnds(t *testing.T) {
	for name, leave := range map[string]func(){"break": nil, "panic": panicsAt, "Goexit": runtime.Goexit} {
		for _, unordered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var live, closed, stopped atomic.Int32
				var values []*resource
				for range 9 {
					values = append(values, &resource{closed: &closed})
				}
				seq := func(yield func(int) bool) {
					defer stopped.Add(1)
					defer time.Sleep(time.Minute)
					for i := 0; yield(i); i++ {
					}
				}
				fn := func(ctx context.Context, n int) (*resource, error) {
					live.Add(1)
					defer live.Add(-1)
					switch n {
					case 1: // canceled, and takes its time
						<-ctx.Done()
						time.Sleep(time.Hour)
						if text := context.Cause(ctx).Error(); text != "group: the loop over the stream ended" {
							t.Errorf("canceled with %q", text)
						}
						return nil, ctx.Err()
					case 2: // too late
						<-ctx.Done()
						return values[n], nil
					}
					return values[n], nil
				}
				begin, bodies := time.Now(), 0
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					defer func() { _ = recover() }()
					defer func() {
						if live.Load() != 0 || stopped.Load() != 1 || time.Since(begin) != time.Hour+time.Second {
							t.Errorf("%s: %d calls live, seq stopped %d times, %v over", name, live.Load(), stopped.Load(), time.Since(begin))
						}
					}()
					for v, err := range group.Stream(t.Context(), seq, group.Config{Limit: 4, Unordered: unordered}, fn) {
						if bodies++; err != nil || bodies > 1 || v.times.Load() != 0 {
							t.Errorf("%s: body %d has %v, %v", name, bodies, v, err)
						}
						time.Sleep(time.Second)
						if leave == nil {
							break
						}
						leave()
					}
				}()
				<-ended
				// 0 to 8 were taken, as 8 may be ahead of 0; the first one to end was yielded, 1 has no value.
				for i, v := range values {
					switch n := v.times.Load(); {
					case i == 1 && n != 0, i != 1 && n > 1:
						t.Errorf("%s: value %d closed %d times", name, i, n)
					}
				}
				if closed.Load() != 7 {
					t.Errorf("%s: %d values closed, want 7", name, closed.Load())
				}
			})
		}
	}
}
