package breaker

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

func fail(context.Context) error { return errLost }

func succeed(context.Context) error { return nil }

// looked reports whether a caller that is rejected reads the clock.
func looked(t *testing.T, b *Breaker) bool {
	t.Helper()
	_, now, err := b.AcquireAt(context.Background(), clock.Unread)
	if err == nil {
		t.Fatal("admitted")
	}
	return now != clock.Unread
}

// Whatever the cooldown: one instant before its end nobody gets in, and at its end a probe does.
func TestTheEndOfACooldownIsExact(t *testing.T) {
	for _, cooldown := range []time.Duration{
		1, 2, 15, 16, 17, time.Millisecond, slack - 1, slack, slack + 1, slack + 2, time.Second, 5 * time.Second, time.Hour, 1000 * time.Hour,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := New(Config{Trip: Consecutive(1), Cooldown: cooldown, Successes: 1})
			for range 3 {
				b.Do(t.Context(), fail)
				time.Sleep(cooldown - 1)
				if err := b.Do(t.Context(), succeed); err == nil {
					t.Errorf("%v: admitted an instant before the end", cooldown)
				}
				time.Sleep(time.Nanosecond)
				if err := b.Do(t.Context(), succeed); err != nil || b.State() != Closed {
					t.Fatalf("%v: rejected at the end: %v", cooldown, err)
				}
			}
		})
	}
}

// Also where the caller slept over the whole of it, when the timer's turn comes only with the sleeper's.
func TestTheEndOfACooldownIsExactAfterOneSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{Trip: Consecutive(1), Cooldown: time.Second, Successes: 1})
		b.Do(t.Context(), fail)
		time.Sleep(time.Second)
		if err := b.Do(t.Context(), succeed); err != nil {
			t.Errorf("rejected at the end: %v", err)
		}
	})
}

func TestMostOfACooldownReadsNoClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{Trip: Consecutive(1), Cooldown: 16 * time.Second})
		b.Do(t.Context(), fail)
		for range 200 { // also those that take a look themselves
			if looked(t, b) {
				t.Fatal("the clock was read at the start of the cooldown")
			}
		}
		time.Sleep(15*time.Second - 1)
		if looked(t, b) {
			t.Error("the clock was read before 15/16 of the cooldown")
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if !looked(t, b) {
			t.Error("the clock was not read after 15/16 of the cooldown")
		}
	})
}

func TestAnObserverIsToldTheWaitAtAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wait time.Duration
		b := New(Config{Trip: Consecutive(1), Cooldown: 16 * time.Second, Observer: func(_ context.Context, e mettle.Event) {
			wait = e.Wait
		}})
		b.Do(t.Context(), fail)
		for left := 16 * time.Second; left > 0; left -= time.Second {
			b.Do(t.Context(), succeed)
			if wait != left {
				t.Errorf("the event says %v, want %v", wait, left)
			}
			time.Sleep(time.Second)
		}
	})
}

// A breaker that outlives the bubble in which it opened has lost its timer: after 64 rejections at most somebody looks.
func TestABreakerWhoseTimerDied(t *testing.T) {
	b := New(Config{Trip: Consecutive(1), Cooldown: time.Hour, Successes: 1})
	synctest.Test(t, func(t *testing.T) { b.Do(t.Context(), fail) })
	// Out here, decades have passed.
	n := 0
	for b.Do(t.Context(), succeed) != nil {
		if n++; n > 64 {
			t.Fatal("64 rejections and none has looked at the clock")
		}
	}
	if b.State() != Closed || n == 0 {
		t.Errorf("%v after %d rejections", b.State(), n)
	}
}

// The timer of an open period that ended by hand must not end the quiet of the next.
func TestATimerTouchesItsOwnPeriodOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{Trip: Consecutive(1), Cooldown: 16 * time.Second, Successes: 1})
		b.Do(t.Context(), fail)
		time.Sleep(10 * time.Second)
		b.Reset()
		b.Do(t.Context(), fail)
		time.Sleep(8 * time.Second) // the first one's timer is over
		if looked(t, b) {
			t.Error("the clock was read early in the second period")
		}
		b.ForceOpen()
		time.Sleep(time.Hour)
		for range 200 {
			if looked(t, b) {
				t.Fatal("the clock was read in forced-open")
			}
		}
	})
}

// After a failed recovery the cooldown is another one, and the quiet of it too.
func TestQuietFollowsTheGrownCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Config{Trip: Consecutive(1), Cooldown: 10 * time.Second, MaxCooldown: 80 * time.Second, Successes: 1})
		b.Do(t.Context(), fail)
		for range 6 {
			p := b.current.Load()
			left := p.Left(int64(clock.Now()))
			time.Sleep(left * 14 / 16)
			if looked(t, b) {
				t.Errorf("of a cooldown of %v, 14/16 were not quiet", left)
			}
			time.Sleep(left - left*14/16 - 1)
			if !looked(t, b) {
				t.Errorf("at the end of a cooldown of %v it was quiet", left)
			}
			time.Sleep(time.Nanosecond)
			if err := b.Do(t.Context(), fail); err != errLost {
				t.Fatalf("the probe at the end of %v: %v", left, err)
			}
		}
	})
}
