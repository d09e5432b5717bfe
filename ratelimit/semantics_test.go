package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/ratelimit"
)

func wantRejection(t *testing.T, err error, reasons ...error) *mettle.RejectedError {
	t.Helper()
	rejected, ok := errors.AsType[*mettle.RejectedError](err)
	if !ok || !errors.Is(err, mettle.ErrRejected) {
		t.Fatalf("got %v, want a rejection", err)
	}
	for _, reason := range reasons {
		if !errors.Is(err, reason) {
			t.Errorf("%v is not %v", err, reason)
		}
	}
	return rejected
}

func wantMetric(t *testing.T, l *ratelimit.Limiter, name string, want float64) {
	t.Helper()
	for _, m := range l.Describe().Metrics {
		if m.Name == name {
			if m.Value != want {
				t.Errorf("%s is %v, want %v", name, m.Value, want)
			}
			return
		}
	}
	t.Errorf("there is no metric %s", name)
}

// both runs a test with a bucket and with a strict limiter that behave alike in it: one call in each second.
func both(t *testing.T, test func(t *testing.T, c ratelimit.Config)) {
	for name, c := range map[string]ratelimit.Config{
		"bucket": {Name: "api", Rate: 1, Burst: 1},
		"strict": {Name: "api", Rate: 1, Strict: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, c) })
		})
	}
}

func TestSemantics2ARejectionMeansTheFunctionDidNotRun(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		l := ratelimit.New(c)
		l.Allow()
		time.Sleep(250 * time.Millisecond)
		err := l.Do(bg, func(context.Context) error {
			t.Error("the function ran")
			return nil
		})
		rejected := wantRejection(t, err, ratelimit.ErrLimited)
		if rejected.Policy != "ratelimit" || rejected.Name != "api" || !strings.Contains(rejected.Error(), "api: ratelimit: limited") {
			t.Errorf("the rejection is %q by %q %q", rejected, rejected.Policy, rejected.Name)
		}
		// What it says is computed when asked, and costs nobody anything.
		for _, want := range []time.Duration{750 * time.Millisecond, 500 * time.Millisecond, 250 * time.Millisecond, 0, 0} {
			if d, ok := rejected.RetryAfter(); d != want || !ok {
				t.Errorf("RetryAfter is %v, %v, want %v", d, ok, want)
			}
			time.Sleep(250 * time.Millisecond)
		}
		if !l.Allow() {
			t.Error("rejected after that time")
		}
	})
}

func TestSemantics2MoreThanEverComesAtOnceIsRejectedForGood(t *testing.T) {
	for _, c := range []ratelimit.Config{{Rate: 5, Burst: 3, MaxWait: time.Hour}, {Rate: 3, Strict: true, MaxWait: time.Hour}} {
		l := ratelimit.New(c)
		rejected := wantRejection(t, l.AcquireN(bg, 4), ratelimit.ErrLimited)
		if d, ok := rejected.RetryAfter(); ok {
			t.Errorf("RetryAfter claims to know %v", d)
		}
		if l.AllowN(4) || l.ReserveN(4).OK() || l.ReserveN(4).Delay() != math.MaxInt64 {
			t.Error("four calls at once were let in")
		}
		if err := l.AcquireN(bg, 3); err != nil {
			t.Error("the rejected ones cost something:", err)
		}
		two := wantRejection(t, ratelimit.New(c).AcquireN(ended(), 4))
		if errors.Is(two, context.Canceled) {
			t.Error("the context is blamed for it")
		}
	}
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	return ctx
}

func TestSemantics2AContextThatEndsInTheLineIsARejection(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = time.Hour
		l := ratelimit.New(c)
		why := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(bg)
		l.Allow()
		result := make(chan error, 1)
		go func() { result <- l.Do(ctx, nothing) }()
		synctest.Wait()
		wantMetric(t, l, "waiting", 1)
		time.Sleep(time.Second / 4)
		cancel(why)
		wantRejection(t, <-result, context.Canceled, why)
		wantMetric(t, l, "waiting", 0)
		// Now that it has ended, it is turned away at once where it would wait, and let in where it need not. And its place is there for another.
		wantRejection(t, l.Do(ctx, nothing), context.Canceled, why)
		if d := l.Reserve().Delay(); d != 3*time.Second/4 {
			t.Errorf("the next would wait for %v, want 750ms", d)
		}
		time.Sleep(2 * time.Second)
		if err := l.Do(ctx, nothing); err != nil {
			t.Error(err)
		}
		// Where nobody waits, the context is not asked.
		c.MaxWait = 0
		l = ratelimit.New(c)
		l.Allow()
		if err := l.Do(ctx, nothing); errors.Is(err, context.Canceled) || !errors.Is(err, ratelimit.ErrLimited) {
			t.Errorf("got %v, want ErrLimited", err)
		}
	})
}

func TestSemantics7AWaitThatPassesTheDeadlineIsNotBegun(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = time.Hour
		l := ratelimit.New(c)
		l.Allow()
		for _, d := range []time.Duration{1, time.Second / 2, time.Second} { // one who begins at his deadline begins too late
			begun := time.Now()
			ctx, cancel := context.WithTimeout(bg, d)
			wantRejection(t, l.Do(ctx, nothing), ratelimit.ErrLimited)
			if ctx.Err() != nil || time.Since(begun) != 0 {
				t.Errorf("rejected after %v, want at once", time.Since(begun))
			}
			cancel()
		}
		ctx, cancel := context.WithTimeout(bg, time.Second+1)
		defer cancel()
		if err := l.Do(ctx, nothing); err != nil {
			t.Errorf("with time enough: %v", err)
		}
		c.MaxWait = time.Second - 1
		l = ratelimit.New(c)
		l.Allow()
		wantRejection(t, l.Do(bg, nothing), ratelimit.ErrLimited)
		c.MaxWait++
		l = ratelimit.New(c)
		l.Allow()
		if err := l.Do(bg, nothing); err != nil {
			t.Errorf("with just the time that it takes: %v", err)
		}
	})
}

func TestSemantics4HoweverACallEndsTheNextIsAdmittedInItsTime(t *testing.T) {
	for name, fn := range map[string]func() error{
		"error":  func() error { return errors.New("failed") },
		"panic":  func() error { panic("boom") },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, c ratelimit.Config) {
				c.MaxWait = time.Minute
				l := ratelimit.New(c)
				begun := time.Now()
				for range 3 {
					done := make(chan any)
					go func() {
						defer func() { done <- recover() }()
						l.Do(bg, func(context.Context) error { return fn() })
					}()
					if p := <-done; name == "panic" && p != "boom" {
						t.Errorf("the panic came out as %v", p)
					}
				}
				if took := time.Since(begun); took != 2*time.Second {
					t.Errorf("three calls took %v, want 2s", took)
				}
				time.Sleep(time.Second)
				if !l.Fresh() {
					t.Error("something is left")
				}
			})
		})
	}
}

// A context whose methods panic, as one whose parent is nil does, costs nobody a token.
func TestAContextThatPanicsLeavesNothingBehind(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = time.Minute
		l := ratelimit.New(c)
		l.Allow()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			l.Do(bad{bg}, nothing)
		}()
		wantMetric(t, l, "waiting", 0)
		if d := l.Reserve().Delay(); d != time.Second {
			t.Errorf("the next waits for %v, want 1s", d)
		}
	})
}

type bad struct{ context.Context }

func (bad) Done() <-chan struct{} { panic("a bad context") }

func TestSemantics9BadConfigurationIsLoud(t *testing.T) {
	for _, tc := range []struct {
		config ratelimit.Config
		want   string
	}{
		{ratelimit.Config{}, "ratelimit: Config.Rate is 0, want 1 or more"},
		{ratelimit.Config{Rate: -1, Burst: 1}, "ratelimit: Config.Rate is -1, want 1 or more"},
		{ratelimit.Config{Rate: 1}, "ratelimit: Config.Burst is 0, want 1 or more"},
		{ratelimit.Config{Rate: 1, Burst: -3}, "ratelimit: Config.Burst is -3, want 1 or more"},
		{ratelimit.Config{Rate: 1, Burst: 1, Per: -time.Second}, "ratelimit: Config.Per is -1s, want 0 or more"},
		{ratelimit.Config{Rate: 1e9 + 1, Burst: 1}, "ratelimit: Config.Rate is 1000000001, want 1000000000 or less, one for each nanosecond of Per"},
		{ratelimit.Config{Rate: 1, Burst: 1, MaxWait: -1}, "ratelimit: Config.MaxWait is -1ns, want 0 or more"},
		{ratelimit.Config{Rate: 1, Burst: 1, Strict: true}, "ratelimit: Config.Burst is 1, want 0 with Strict"},
		{ratelimit.Config{Rate: 1<<20 + 1, Strict: true}, "ratelimit: Config.Rate is 1048577, want 1048576 or less with Strict"},
		{ratelimit.Config{Rate: 1, Per: 1 << 61, Burst: 3}, "ratelimit: Config.Burst is 3, want 2 or less, which is 146 years of calls"},
	} {
		err := tc.config.Validate()
		if err == nil || err.Error() != tc.want {
			t.Errorf("Validate says %v, want %s", err, tc.want)
		}
		wantPanic(t, tc.want, func() { ratelimit.New(tc.config) })
	}
	for _, c := range []ratelimit.Config{
		{Rate: 1e9, Burst: min(math.MaxInt, 1<<62)},
		{Rate: 1 << 20, Per: 1 << 20, Strict: true, MaxWait: 1<<63 - 1},
		{Rate: 1, Per: 1 << 61, Burst: 2},
	} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	l := ratelimit.New(ratelimit.Config{Rate: 10, Burst: 10})
	wantPanic(t, "ratelimit: SetRate: Rate is 0, want 1 or more", func() { l.SetRate(0, 0) })
	wantPanic(t, "ratelimit: SetRate: Per is -1ns, want 0 or more", func() { l.SetRate(1, -1) })
	wantPanic(t, "ratelimit: SetRate: Burst is 10, want 8 or less, which is 146 years of calls", func() { l.SetRate(1, 1<<59) })
	wantPanic(t, "ratelimit: AllowN: n is 0, want 1 or more", func() { l.AllowN(0) })
	wantPanic(t, "ratelimit: AcquireN: n is -1, want 1 or more", func() { l.AcquireN(bg, -1) })
	wantPanic(t, "ratelimit: ReserveN: n is 0, want 1 or more", func() { l.ReserveN(0) })
	wantMetric(t, l, "available", 10)
}

func wantPanic(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		if p := recover(); p != want {
			t.Errorf("got the panic %v, want %s", p, want)
		}
	}()
	fn()
}

func TestSemantics12ObserversMayCallBack(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		var l *ratelimit.Limiter
		var events []mettle.Event
		c.Observer = func(ctx context.Context, e mettle.Event) {
			events = append(events, e)
			l.Describe()
			if len(events) == 1 {
				l.Do(ctx, nothing)
				l.SetRate(1, time.Second)
				l.Reserve().Cancel()
			}
		}
		l = ratelimit.New(c)
		l.Allow()
		err := l.Do(bg, nothing)
		if len(events) != 2 {
			t.Fatalf("%d events, want 2", len(events))
		}
		if want := (mettle.Event{Kind: mettle.Rejected, Policy: "ratelimit", Name: "api", Err: err, Wait: time.Second}); events[0] != want {
			t.Errorf("got %+v, want %+v", events[0], want)
		}
		if l.Allow(); len(events) != 3 {
			t.Error("Allow tells nobody of a rejection")
		}
	})
}

func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Name: "api", Rate: 60, Per: time.Minute, Burst: 5, MaxWait: 2 * time.Second})
		l.AllowN(4)
		l.Allow()
		l.Allow()
		go l.Do(bg, nothing)
		synctest.Wait()
		describe := func() (got string) {
			d := l.Describe()
			got = fmt.Sprintf("%s %s %d ", d.Kind, d.Name, d.Limit)
			for _, m := range d.Metrics {
				got += fmt.Sprintf("%s=%v ", m.Name, m.Value)
			}
			return got
		}
		if got, want := describe(), "ratelimit api 60 available=0 waiting=1 admitted=2 waited=0 rejections=1 per_seconds=60 burst=5 "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		time.Sleep(3500 * time.Millisecond)
		if got, want := describe(), "ratelimit api 60 available=2 waiting=0 admitted=3 waited=1 rejections=1 per_seconds=60 burst=5 "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		l.SetRate(2, 0)
		if got, want := describe(), "ratelimit api 2 available=2 waiting=0 admitted=3 waited=1 rejections=1 per_seconds=1 burst=5 "; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// The clock reading is passed on by those who did not wait, and by nobody else.
func TestTheClockIsReadOnce(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = time.Minute
		l := ratelimit.New(c)
		start := clock.Now()
		if _, at, err := l.AcquireAt(bg, start-7); at != start-7 || err != nil {
			t.Errorf("a reading of %d became %d, %v", start-7, at, err)
		}
		if _, at, err := l.AcquireAt(bg, clock.Unread); at != clock.Unread || err != nil {
			t.Errorf("a wait left the reading %d, %v", at, err)
		}
		if took := clock.Now().Sub(start); took != time.Second-7 {
			t.Errorf("waited for %v", took)
		}
		time.Sleep(time.Minute)
		if _, at, _ := l.AcquireAt(bg, clock.Unread); at != clock.Now() {
			t.Errorf("the clock was read as %d at %d", at, clock.Now())
		}
	})
}

func TestErrorsPassAsTheyAre(t *testing.T) {
	l := ratelimit.New(ratelimit.Config{Rate: 10, Burst: 10})
	boom := errors.New("boom")
	if err := l.Do(bg, func(context.Context) error { return boom }); err != boom {
		t.Errorf("got %v", err)
	}
	v, err := mettle.Call(bg, l, func(context.Context) (int, error) { return 7, nil })
	if v != 7 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}
