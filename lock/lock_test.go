package lock_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/lock"
)

var bg = context.Background()

// withs make the With of a new Mutex, or of one key of a new Keyed.
var withs = map[string]func() func(context.Context, func() error) error{
	"Mutex": func() func(context.Context, func() error) error { return new(lock.Mutex).With },
	"Keyed": func() func(context.Context, func() error) error {
		l := new(lock.Keyed[string])
		return func(ctx context.Context, fn func() error) error { return l.With(ctx, "k", fn) }
	},
}

func TestWithUnlocksHoweverTheFunctionEnds(t *testing.T) {
	failed := errors.New("failed")
	for name, made := range withs {
		t.Run(name, func(t *testing.T) {
			with := made()
			free := func(after string) {
				t.Helper()
				ctx, cancel := context.WithCancel(bg)
				cancel()
				ran := false
				if err := with(ctx, func() error { ran = true; return nil }); err != nil || !ran {
					t.Fatalf("not free after %s: %v", after, err)
				}
			}
			if err := with(bg, func() error { return failed }); err != failed {
				t.Errorf("the error came out as %v", err)
			}
			free("an error")
			func() {
				defer func() {
					if p := recover(); p != failed {
						t.Errorf("the panic came out as %v", p)
					}
				}()
				with(bg, func() error { panic(failed) })
			}()
			free("a panic")
			done := make(chan struct{})
			go func() {
				defer close(done)
				with(bg, func() error { runtime.Goexit(); return nil })
			}()
			<-done
			free("a Goexit")
		})
	}
}

// A wait ends with its context and tells why, and the function does not run. A free lock is given without a look at
// the context.
func TestErrorsCarryTheCause(t *testing.T) {
	why := errors.New("shutting down")
	for name, made := range withs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				with := made()
				release := make(chan struct{})
				go with(bg, func() error { <-release; return nil })
				synctest.Wait()
				ctx, cancel := context.WithTimeoutCause(bg, time.Second, why)
				defer cancel()
				must := func() error {
					t.Error("the function ran")
					return nil
				}
				for _, want := range []time.Duration{time.Second, 0} {
					begun := time.Now()
					err := with(ctx, must)
					if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, why) {
						t.Errorf("got %v, want the deadline and its cause", err)
					}
					if took := time.Since(begun); took != want {
						t.Errorf("it took %v, want %v", took, want)
					}
				}
				close(release)
				synctest.Wait()
				ran := false
				if err := with(ctx, func() error { ran = true; return nil }); err != nil || !ran {
					t.Errorf("with a free lock: %v", err)
				}
			})
		})
	}
}

func TestMisusePanics(t *testing.T) {
	for want, misuse := range map[string]func(){
		"lock: Unlock of a Mutex that is not locked":          func() { new(lock.Mutex).Unlock() },
		"lock: Unlock of key 7, which is not locked":          func() { new(lock.Keyed[int]).Unlock(7) },
		"lock: Lock of key NaN, which is not equal to itself": func() { new(lock.Keyed[float64]).Lock(bg, math.NaN()) },
	} {
		func() {
			defer func() {
				if p := recover(); p != want {
					t.Errorf("panic %v, want %s", p, want)
				}
			}()
			misuse()
		}()
	}
}

// A key that cannot be hashed panics, as in a map, and the others can still be locked.
func TestAKeyThatPanicsHarmsNoOther(t *testing.T) {
	var l lock.Keyed[any]
	l.TryLock("other")
	for name, call := range map[string]func(k any){
		"Lock":    func(k any) { l.Lock(bg, k) },
		"TryLock": func(k any) { l.TryLock(k) },
		"Unlock":  func(k any) { l.Unlock(k) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a slice does not panic", name)
				}
			}()
			call([]int{1})
		}()
	}
	l.Unlock("other")
	if err := l.Lock(bg, 1); err != nil || l.Len() != 1 {
		t.Errorf("Lock says %v and %d keys are locked", err, l.Len())
	}
}

// panicky is a context whose Done panics.
type panicky struct{ context.Context }

func (panicky) Done() <-chan struct{} { panic("Done") }

// A context whose Done panics leaves nobody in the line who will never come.
func TestAContextThatPanicsLeavesNothing(t *testing.T) {
	var m lock.Mutex
	var l lock.Keyed[int]
	m.Lock(bg)
	l.Lock(bg, 1)
	for name, call := range map[string]func(){
		"Mutex": func() { m.Lock(panicky{bg}) },
		"Keyed": func() { l.Lock(panicky{bg}, 1) },
	} {
		func() {
			defer func() {
				if recover() != "Done" {
					t.Errorf("%s: did not panic", name)
				}
			}()
			call()
		}()
	}
	m.Unlock()
	l.Unlock(1)
	if !m.TryLock() || !l.TryLock(1) || l.Len() != 1 {
		t.Error("somebody still waits")
	}
}
