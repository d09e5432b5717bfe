package mettle_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// explode is a name to look for in a stack trace.
func explode(context.Context) error { panic("boom") }

func leave(context.Context) error { runtime.Goexit(); return nil }

// ends runs a call in a goroutine of its own, which a Goexit takes with it, and returns what it panicked with and where.
func ends(do func()) (value any, stack string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if value = recover(); value != nil {
				stack = string(debug.Stack())
			}
		}()
		do()
	}()
	<-done
	return value, stack
}

// Every way in which a call can end gives back every permit, in every form of a gate, and tells what it was.
func TestSemantics04PermitsComeBack(t *testing.T) {
	bh := bulkhead.New(bulkhead.Config{Limit: 1})
	foreign := &gate{}
	br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1000)})
	again := retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(0)})
	stack := mettle.Compose(again, foreign, br, bh, timeout.After(time.Hour))
	forms := map[string]func(fn func(context.Context) error){
		"stack":          func(fn func(context.Context) error) { stack.Do(t.Context(), fn) },
		"Call":           func(fn func(context.Context) error) { mettle.Call(t.Context(), stack, valued(fn)) },
		"foreign within": func(fn func(context.Context) error) { mettle.Compose(stack, pass).Do(t.Context(), fn) },
		"bulkhead":       func(fn func(context.Context) error) { bh.Do(t.Context(), fn) },
		"bulkhead, Call": func(fn func(context.Context) error) { mettle.Call(t.Context(), bh, valued(fn)) },
		"gate":           func(fn func(context.Context) error) { foreign.Do(t.Context(), fn) },
		"gate, Call":     func(fn func(context.Context) error) { mettle.Call(t.Context(), foreign, valued(fn)) },
	}
	for form, do := range forms {
		for name, fn := range map[string]func(context.Context) error{"success": nothing, "error": down, "panic": explode, "Goexit": leave} {
			foreign.heard = nil
			value, trace := ends(func() { do(fn) })
			if inside := metric(bh, "inside"); inside != 0 || foreign.inside.Load() != 0 {
				t.Fatalf("%s after %s: %v and %d places are still taken", form, name, inside, foreign.inside.Load())
			}
			if name == "panic" && (value != "boom" || !strings.Contains(trace, "explode")) {
				t.Errorf("%s: the panic %v was recovered on its way: its stack lacks the function that panicked", form, value)
			}
			for _, err := range foreign.heard {
				want := map[string]error{"success": nil, "error": errDown, "panic": mettle.ErrUnfinished, "Goexit": mettle.ErrUnfinished}[name]
				if err != want {
					t.Errorf("%s after %s: the gate heard %v, want %v", form, name, err, want)
				}
			}
			if len(foreign.heard) == 0 && strings.Contains(form, "stack") {
				t.Errorf("%s after %s: the gate heard nothing", form, name)
			}
		}
	}
}

func valued(fn func(context.Context) error) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) { return 1, fn(ctx) }
}

// A function that panics has failed: the breaker must hear of it.
func TestSemantics04PanicsCountAsFailures(t *testing.T) {
	br := breaker.New(breaker.Config{Trip: breaker.Consecutive(2)})
	s := mettle.Compose(br, timeout.After(time.Hour))
	ends(func() { s.Do(t.Context(), explode) })
	ends(func() { s.Do(t.Context(), leave) })
	if br.State() != breaker.Open {
		t.Errorf("%v after a panic and a Goexit", br.State())
	}
}

// A call begun before the trip ends after it: its result is of another time and must not count.
func TestSemantics04LateResultOfAnEarlierStateIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Second, Successes: 1})
		early, err := br.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		br.Do(t.Context(), down)
		time.Sleep(time.Second)
		probe, err := br.Acquire(t.Context())
		if err != nil || br.State() != breaker.HalfOpen {
			t.Fatalf("%v in %v", err, br.State())
		}
		early.Done(nil)
		if br.State() != breaker.HalfOpen {
			t.Errorf("%v after a success from before the trip", br.State())
		}
		probe.Done(nil)
		if br.State() != breaker.Closed {
			t.Errorf("%v after the probe's success", br.State())
		}
	})
}

// The zero Permit is of a gate that keeps no count.
func TestSemantics04ZeroPermit(t *testing.T) {
	mettle.Permit{}.Done(errDown)

	g := &gate{}
	p := mettle.NewPermit(t.Context(), g, 7)
	g.inside.Add(1)
	p.Done(errDown)
	if g.inside.Load() != 0 || len(g.heard) != 1 || g.heard[0] != errDown {
		t.Errorf("%d inside, heard %v", g.inside.Load(), g.heard)
	}
}

// Sixty-four callers who panic, leave, fail and succeed share eight places.
func TestSemantics04PermitsComeBackFromACrowd(t *testing.T) {
	bh := bulkhead.New(bulkhead.Config{Limit: 8, Queue: 64})
	stack := mettle.Compose(retry.New(retry.Config{Backoff: retry.Constant(0)}), bh)
	var mu sync.Mutex
	inside, most := 0, 0
	enter := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		inside += d
		most = max(most, inside)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for k := range 50 {
				fn := []func(context.Context) error{nothing, down, explode, leave}[(i+k)%4]
				ends(func() {
					err := stack.Do(context.Background(), func(ctx context.Context) error {
						enter(1)
						defer enter(-1)
						return fn(ctx)
					})
					if errors.Is(err, mettle.ErrRejected) {
						t.Errorf("%v although the queue has room", err)
					}
				})
			}
		})
	}
	wg.Wait()
	if metric(bh, "inside") != 0 || metric(bh, "waiting") != 0 || most > 8 {
		t.Errorf("%v inside, %v waiting, at most %d at a time, want 0, 0 and 8", metric(bh, "inside"), metric(bh, "waiting"), most)
	}
}
