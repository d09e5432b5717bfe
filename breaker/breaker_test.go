package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

var bg = context.Background()

func fails(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// trip fails calls until b is open and returns how many it took.
func trip(t *testing.T, b *breaker.Breaker) int {
	t.Helper()
	for n := 1; n <= 100; n++ {
		if err := b.Do(bg, down); err != errDown {
			t.Fatalf("call %d returned %v, want the function's own error", n, err)
		}
		if b.State() == breaker.Open {
			return n
		}
	}
	t.Fatal("100 failures do not open the breaker")
	return 0
}

func wantState(t *testing.T, b *breaker.Breaker, want breaker.State) {
	t.Helper()
	if got := b.State(); got != want {
		t.Fatalf("the breaker is %v, want %v", got, want)
	}
}

func wantRejected(t *testing.T, b *breaker.Breaker) *mettle.RejectedError {
	t.Helper()
	err := b.Do(bg, func(context.Context) error {
		t.Error("the function ran")
		return nil
	})
	rejected, ok := errors.AsType[*mettle.RejectedError](err)
	if !ok || !errors.Is(err, mettle.ErrRejected) || !errors.Is(err, breaker.ErrOpen) {
		t.Fatalf("got %v, want a rejection that is ErrOpen", err)
	}
	return rejected
}

func TestTheZeroConfig(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{})
		if n := trip(t, b); n != 8 {
			t.Errorf("a dead dependency opens it after %d calls, want 8", n)
		}
		time.Sleep(5*time.Second - 1)
		wantRejected(t, b)
		time.Sleep(time.Nanosecond)
		for range 2 {
			if err := b.Do(bg, nothing); err != nil {
				t.Fatalf("a probe: %v", err)
			}
			wantState(t, b, breaker.HalfOpen)
		}
		if err := b.Do(bg, nothing); err != nil {
			t.Fatalf("the third probe: %v", err)
		}
		wantState(t, b, breaker.Closed)
	})
}

func TestSemantics2ARejectionMeansTheFunctionDidNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Name: "users", Trip: breaker.Consecutive(1), Cooldown: time.Minute})
		trip(t, b)
		err := wantRejected(t, b)
		if err.Policy != "breaker" || err.Name != "users" {
			t.Errorf("the rejection is by %q %q", err.Policy, err.Name)
		}
		if !strings.Contains(err.Error(), "users") || !strings.Contains(err.Error(), "breaker: open") {
			t.Errorf("the message is %q", err)
		}
		// One error serves the whole period, and its RetryAfter is that of the moment.
		for left := time.Minute; left > 0; left -= 15 * time.Second {
			if again := wantRejected(t, b); again != err {
				t.Fatal("two rejections of one period are two errors")
			}
			if d, ok := err.RetryAfter(); d != left || !ok {
				t.Errorf("RetryAfter is %v, %v with %v left", d, ok, left)
			}
			time.Sleep(15 * time.Second)
		}
		if d, ok := err.RetryAfter(); d != 0 || !ok {
			t.Errorf("RetryAfter is %v, %v after the cooldown", d, ok)
		}
	})
}

func TestSemantics2AnInnerRejectionIsNoFailure(t *testing.T) {
	inner := mettle.Reject("inner", "", errors.New("full"), nil)
	b := breaker.New(breaker.Config{
		Trip:     breaker.Consecutive(1),
		Classify: func(error) mettle.Verdict { return mettle.Failure },
	})
	for _, err := range []error{inner, fmt.Errorf("wrapped: %w", inner)} {
		if got := b.Do(bg, fails(err)); got != err {
			t.Errorf("got %v, want %v", got, err)
		}
		wantState(t, b, breaker.Closed)
	}
}

func TestSemantics3OneVerdict(t *testing.T) {
	live := func() (context.Context, context.CancelFunc) { return context.WithCancel(bg) }
	canceled := func() (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		return ctx, cancel
	}
	expired := func() (context.Context, context.CancelFunc) { return context.WithTimeout(bg, -1) }
	notFound := errors.New("not found")
	classify := func(err error) mettle.Verdict {
		switch {
		case errors.Is(err, notFound):
			return mettle.Success
		case errors.Is(err, errDown):
			return mettle.Ignore
		}
		return mettle.Failure
	}
	for _, tc := range []struct {
		name     string
		ctx      func() (context.Context, context.CancelFunc)
		err      error
		classify func(error) mettle.Verdict
		opens    bool
	}{
		{"an error", live, errDown, nil, true},
		{"nil", live, nil, nil, false},
		{"the caller left", canceled, errDown, nil, false},
		{"the caller left, and nil", canceled, nil, nil, false},
		{"the caller's time was up", expired, errDown, nil, true},
		{"a deadline further in", live, context.DeadlineExceeded, nil, true},
		{"canceled further in, while the caller waits", live, context.Canceled, nil, true},
		{"classified as success", live, notFound, classify, false},
		{"classified as ignore", live, errDown, classify, false},
		{"classified as failure", live, errors.New("other"), classify, true},
		{"the caller left before classify is asked", canceled, errors.New("other"), classify, false},
		{"a deadline before classify is asked", expired, notFound, classify, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Classify: tc.classify})
			ctx, cancel := tc.ctx()
			defer cancel()
			if err := b.Do(ctx, fails(tc.err)); err != tc.err {
				t.Errorf("Do returned %v, want %v as it is", err, tc.err)
			}
			if got := b.State() == breaker.Open; got != tc.opens {
				t.Errorf("open is %v, want %v", got, tc.opens)
			}
		})
	}
}

func TestSemantics3AnIgnoredProbeGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Successes: 1})
		trip(t, b)
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		for range 10 {
			if err := b.Do(ctx, down); err != errDown {
				t.Fatalf("the probe returned %v", err)
			}
			wantState(t, b, breaker.HalfOpen)
		}
		if err := b.Do(bg, nothing); err != nil {
			t.Fatalf("the place did not come back: %v", err)
		}
		wantState(t, b, breaker.Closed)
	})
}

// unfinished runs b.Do with a function that does not return, in a goroutine of its own.
func unfinished(b *breaker.Breaker, fn func()) (panicked any) {
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		b.Do(bg, func(context.Context) error {
			fn()
			return nil
		})
	}()
	return <-done
}

func TestSemantics4PermitsComeBackOnPanicAndGoexit(t *testing.T) {
	for name, fn := range map[string]func(){
		"panic":  func() { panic("boom") },
		"goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := breaker.New(breaker.Config{
					Trip: breaker.Consecutive(2), Cooldown: time.Second, MaxCooldown: time.Second,
					// The caller never sees the error of a panic and has no say in it.
					Classify: func(err error) mettle.Verdict {
						if errors.Is(err, mettle.ErrUnfinished) {
							t.Error("Classify is asked about a panic")
						}
						return mettle.Failure
					},
				})
				for range 2 {
					wantState(t, b, breaker.Closed)
					if p := unfinished(b, fn); name == "panic" && p != "boom" {
						t.Fatalf("the panic came out as %v", p)
					}
				}
				wantState(t, b, breaker.Open)
				for range 3 {
					time.Sleep(time.Second)
					unfinished(b, fn)
					wantState(t, b, breaker.Open) // the probe failed, and its place came back
				}
				time.Sleep(time.Second)
				for range 3 {
					b.Do(bg, nothing)
				}
				wantState(t, b, breaker.Closed)
			})
		})
	}
}

func TestSemantics4LateResultsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Successes: 1, Cooldown: time.Second, MaxCooldown: time.Second})
		acquire := func() mettle.Permit {
			t.Helper()
			p, err := b.Acquire(bg)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		early := []mettle.Permit{acquire(), acquire(), acquire(), acquire()}
		trip(t, b)
		early[0].Done(nil)
		wantState(t, b, breaker.Open)
		time.Sleep(time.Second)
		probe := acquire()
		early[1].Done(nil) // must not close it
		wantState(t, b, breaker.HalfOpen)
		early[2].Done(errDown) // must not reopen it
		wantState(t, b, breaker.HalfOpen)
		probe.Done(nil)
		wantState(t, b, breaker.Closed)
		early[3].Done(errDown) // must not count in a closed period that is not its own
		wantState(t, b, breaker.Closed)
	})
}

func TestSemantics9BadConfigurationIsLoud(t *testing.T) {
	for _, tc := range []struct {
		config breaker.Config
		want   string
	}{
		{breaker.Config{Trip: breaker.Consecutive(0)}, "breaker: Config.Trip is Consecutive(0), want 1 or more"},
		{breaker.Config{Trip: breaker.Consecutive(-3)}, "breaker: Config.Trip is Consecutive(-3), want 1 or more"},
		{breaker.Config{Trip: breaker.Shift(0.5, 0.1, 12)}, "breaker: Config.Trip is Shift(0.5, 0.1, 12), want 0 < tolerated < bad < 1"},
		{breaker.Config{Trip: breaker.Shift(0, 0, 0)}, "breaker: Config.Trip is Shift(0, 0, 0), want 0 < tolerated < bad < 1"},
		{breaker.Config{Cooldown: -1}, "breaker: Config.Cooldown is -1ns, want 0 or more"},
		{breaker.Config{MaxCooldown: -1}, "breaker: Config.MaxCooldown is -1ns, want 0 or more"},
		{breaker.Config{MaxCooldown: time.Second}, "breaker: Config.MaxCooldown is 1s, want Cooldown, which is 5s, or more"},
		{breaker.Config{Cooldown: 3, MaxCooldown: 2}, "breaker: Config.MaxCooldown is 2ns, want Cooldown, which is 3ns, or more"},
		{breaker.Config{Probes: -1}, "breaker: Config.Probes is -1, want 0 to 65535"},
		{breaker.Config{Successes: -1}, "breaker: Config.Successes is -1, want 0 to 65535"},
	} {
		err := tc.config.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("Validate says %v, want %s", err, tc.want)
			continue
		}
		func() {
			defer func() {
				if p := recover(); p != err.Error() {
					t.Errorf("New panics with %v, want %v", p, err)
				}
			}()
			breaker.New(tc.config)
		}()
	}
	for _, good := range []breaker.Config{
		{}, {Cooldown: time.Hour}, {Cooldown: time.Hour, MaxCooldown: time.Hour}, {MaxCooldown: 5 * time.Second},
		{Trip: breaker.Consecutive(1)}, {Trip: breaker.Shift(0.01, 0.02, 5), Probes: 1<<16 - 1, Successes: 1<<16 - 1},
	} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
		wantState(t, breaker.New(good), breaker.Closed)
	}
}

func TestAHungProbeFreesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Successes: 1, Cooldown: time.Second})
		trip(t, b)
		time.Sleep(time.Second)
		hung, err := b.Acquire(bg)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second - 1)
		if _, ok := wantRejected(t, b).RetryAfter(); ok {
			t.Error("half-open claims to know when a probe returns")
		}
		time.Sleep(time.Nanosecond)
		probe, err := b.Acquire(bg)
		if err != nil {
			t.Fatalf("the place of a hung probe did not come free: %v", err)
		}
		hung.Done(errDown)
		wantState(t, b, breaker.HalfOpen)
		probe.Done(nil)
		wantState(t, b, breaker.Closed)
	})
}

func TestOneBreakerServesCallsOfAnyType(t *testing.T) {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(2)})
	n, err := mettle.Call(bg, b, func(context.Context) (int, error) { return 7, nil })
	if n != 7 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := mettle.Call(bg, b, func(context.Context) (string, error) { return "", errDown }); err != errDown {
		t.Errorf("got %v", err)
	}
	if _, err := mettle.Call(bg, b, func(context.Context) (bool, error) { return false, errDown }); err != errDown {
		t.Errorf("got %v", err)
	}
	wantRejected(t, b)
}

func TestAConfigChangedAfterNewChangesNothing(t *testing.T) {
	c := breaker.Config{Trip: breaker.Consecutive(2)}
	b := breaker.New(c)
	c.Trip = breaker.Consecutive(1)
	b.Do(bg, down)
	wantState(t, b, breaker.Closed)
}

// Before Go runs main, package variables build their breakers; in a bubble the clock then stands decades earlier.
var outside = breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Second, Successes: 1})

func TestABreakerMadeOutsideOfTheBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trip(t, outside)
		wantRejected(t, outside)
		time.Sleep(time.Second)
		if err := outside.Do(bg, nothing); err != nil {
			t.Fatal(err)
		}
		wantState(t, outside, breaker.Closed)
	})
}
