package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/timeout"
)

// watched is a parent that knows how many contexts are tied to it. Package context asks it by AfterFunc.
type watched struct {
	context.Context
	tied atomic.Int64
}

func (w *watched) AfterFunc(f func()) (stop func() bool) {
	w.tied.Add(1)
	stop = context.AfterFunc(w.Context, f)
	return func() bool { w.tied.Add(-1); return stop() }
}

func (w *watched) Value(key any) any {
	if _, ok := key.(callerKey); ok {
		return "caller's"
	}
	return nil // hide the cancelable context below, as contexts of other make do
}

type callerKey struct{}

func watch(t *testing.T) *watched {
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return &watched{Context: ctx}
}

// unhurried makes a policy whose hedge starts after a second.
func unhurried() *hedge.Policy {
	return hedge.New(hedge.Config{Delay: s, Budget: hedge.Unlimited})
}

// Whoever wins, and whether anybody asked for Done or not: afterwards every context has ended, and none is tied to the caller's.
func TestContextsEndWithTheCall(t *testing.T) {
	for name, takes := range map[string][]time.Duration{
		"fast": {s / 2}, "the first wins": {2 * s, 9 * s}, "the hedge wins": {9 * s, s}, "all fail": {2 * s, 2 * s},
	} {
		for _, asks := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent := watch(t)
				var mu sync.Mutex
				var contexts []context.Context
				unhurried().Do(parent, func(ctx context.Context) error {
					mu.Lock()
					n := len(contexts)
					contexts = append(contexts, ctx)
					mu.Unlock()
					if ctx.Err() != nil || context.Cause(ctx) != nil || ctx.Value(callerKey{}) != "caller's" {
						t.Errorf("%s: begins with %v, %v, %v", name, ctx.Err(), context.Cause(ctx), ctx.Value(callerKey{}))
					}
					if !asks {
						time.Sleep(takes[n])
					} else {
						select {
						case <-ctx.Done():
							return ctx.Err()
						case <-time.After(takes[n]):
						}
					}
					if name == "all fail" {
						return errDown
					}
					return nil
				})
				if n := parent.tied.Load(); n != 0 {
					t.Errorf("%s, asks for Done %t: %d contexts are still tied to the caller's", name, asks, n)
				}
				for i, ctx := range contexts {
					if ctx.Err() != context.Canceled || context.Cause(ctx) == nil {
						t.Errorf("%s, asks for Done %t: the context of run %d of %d says %v, %v", name, asks, i, len(takes), ctx.Err(), context.Cause(ctx))
					}
					select {
					case <-ctx.Done():
					default:
						t.Errorf("%s: Done of run %d is open", name, i)
					}
				}
			})
		}
	}
}

// Before, while and after somebody asked for Done: the context tells what the caller's tells, cause and all.
func TestContextFollowsTheCallers(t *testing.T) {
	gone := errors.New("client is gone")
	for _, ask := range []func(context.Context){
		func(context.Context) {},
		func(ctx context.Context) { ctx.Done() },
		func(ctx context.Context) { _, stop := context.WithCancel(ctx); stop() },
	} {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(t.Context())
			err := unhurried().Do(parent, func(ctx context.Context) error {
				ask(ctx)
				child, stop := context.WithTimeout(ctx, time.Hour)
				defer stop()
				cancel(gone)
				<-child.Done()
				if ctx.Err() != context.Canceled || context.Cause(ctx) != gone || context.Cause(child) != gone {
					t.Errorf("%v because of %v, child because of %v", ctx.Err(), context.Cause(ctx), context.Cause(child))
				}
				return context.Cause(ctx)
			})
			if err != gone {
				t.Errorf("%v, want %v", err, gone)
			}
		})
	}
}

func TestDeadlineOfTheCallerIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mettle.Compose(timeout.After(500*time.Millisecond), unhurried())
		err := p.Do(t.Context(), func(ctx context.Context) error {
			<-ctx.Done()
			if ctx.Err() != context.DeadlineExceeded {
				t.Errorf("%v", ctx.Err())
			}
			return ctx.Err()
		})
		if _, ok := errors.AsType[*timeout.Error](err); !ok {
			t.Errorf("%v, want the timeout's", err)
		}
	})
}

// An HTTP response body read after Do returns works until it is closed: semantics 11.
func TestHoldKeepsTheWinnersContext(t *testing.T) {
	type stream struct {
		ctx     context.Context
		release func()
	}
	for name, c := range map[string]struct {
		policy mettle.Policy
		takes  []time.Duration
	}{
		"fast":           {unhurried(), []time.Duration{0}},
		"the hedge wins": {unhurried(), []time.Duration{9 * s, s}},
		"nested":         {mettle.Compose(unhurried(), unhurried()), []time.Duration{9 * s, 9 * s, 9 * s, s}},
	} {
		synctest.Test(t, func(t *testing.T) {
			parent := watch(t)
			var runs atomic.Int64
			var mu sync.Mutex
			var lost []context.Context
			got, err := mettle.Call(parent, c.policy, func(ctx context.Context) (stream, error) {
				n := int(runs.Add(1)) - 1
				result := stream{ctx, hedge.Hold(ctx)}
				select {
				case <-ctx.Done():
					mu.Lock()
					lost = append(lost, ctx)
					mu.Unlock()
					return stream{}, ctx.Err()
				case <-time.After(c.takes[min(n, len(c.takes)-1)]):
					return result, nil
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, ctx := range lost {
				if context.Cause(ctx) != hedge.ErrLost {
					t.Errorf("%s: a loser's context says %v", name, context.Cause(ctx))
				}
			}
			time.Sleep(time.Hour)
			if got.ctx.Err() != nil {
				t.Errorf("%s: the context has ended before it was released: %v", name, got.ctx.Err())
			}
			got.release()
			got.release() // does no more
			if got.ctx.Err() != context.Canceled || parent.tied.Load() != 0 {
				t.Errorf("%s: after the release %v, %d contexts tied", name, got.ctx.Err(), parent.tied.Load())
			}
		})
	}
}

func TestHoldReleasedWithinTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctx context.Context
		unhurried().Do(t.Context(), func(c context.Context) error {
			release, second := hedge.Hold(c), hedge.Hold(c)
			release()
			if c.Err() != nil {
				t.Errorf("%v while the function runs", c.Err())
			}
			second()
			ctx = c
			return nil
		})
		if ctx.Err() != context.Canceled {
			t.Errorf("%v, want the context to end with the call", ctx.Err())
		}
		hedge.Hold(t.Context())() // of no run
	})
}

// Printing a context must not read what others write.
func TestContextCanBePrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unhurried().Do(t.Context(), func(ctx context.Context) error {
			go ctx.Done()
			if got := fmt.Sprint(ctx); len(got) < len(".Hedge") || got[len(got)-len(".Hedge"):] != ".Hedge" {
				t.Errorf("%q", got)
			}
			synctest.Wait()
			return nil
		})
	})
}
