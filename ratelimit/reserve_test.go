package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/ratelimit"
)

func TestAReservationCountsDown(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		l := ratelimit.New(c)
		first, second := l.Reserve(), l.Reserve()
		if !first.OK() || first.Delay() != 0 || !second.OK() || second.Delay() != time.Second {
			t.Errorf("delays of %v and %v, want 0 and 1s", first.Delay(), second.Delay())
		}
		time.Sleep(time.Second / 4)
		if d := second.Delay(); d != 3*time.Second/4 {
			t.Errorf("a delay of %v, want 750ms", d)
		}
		time.Sleep(time.Hour)
		if d := second.Delay(); d != 0 || !second.OK() {
			t.Errorf("a delay of %v, want none", d)
		}
		if r := (ratelimit.Reservation{}); r.OK() || r.Delay() != math.MaxInt64 {
			t.Error("the zero Reservation is OK")
		} else {
			r.Cancel()
		}
	})
}

// With a burst of 1 and the slots 1, 2 and 3, a newcomer after the first is canceled gets that, and the one after him comes behind the third.
func TestACanceledPlaceGoesToOneOther(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		l := ratelimit.New(c)
		l.Allow()
		var r []ratelimit.Reservation
		for range 3 {
			r = append(r, l.Reserve())
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(r[0].Cancel)
		}
		wg.Wait()
		if r[0].OK() || r[0].Delay() != math.MaxInt64 {
			t.Error("a canceled reservation is OK")
		}
		for i, want := range []time.Duration{1, 4, 5} {
			if d := l.Reserve().Delay(); d != want*time.Second {
				t.Errorf("newcomer %d waits for %v, want %v", i, d, want*time.Second)
			}
		}
		if r[1].Delay() != 2*time.Second || r[2].Delay() != 3*time.Second {
			t.Error("those behind were moved")
		}
	})
}

func TestTheLastCanceledIsAsIfItHadNeverBeen(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		l := ratelimit.New(c)
		a, b, d := l.Reserve(), l.Reserve(), l.Reserve()
		b.Cancel()
		d.Cancel()
		if got := l.Reserve(); got.Delay() != time.Second {
			t.Errorf("a delay of %v, want 1s", got.Delay())
		} else {
			got.Cancel()
		}
		a.Cancel()
		if !l.Fresh() {
			t.Error("something is left")
		}
	})
}

func TestAFreedPlaceLapses(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		l := ratelimit.New(c)
		l.Allow()
		first, second := l.Reserve(), l.Reserve()
		first.Cancel()
		time.Sleep(time.Second + 1)
		if l.Allow() {
			t.Error("admitted with the second a moment ahead")
		}
		if d := second.Delay(); d != time.Second-1 {
			t.Errorf("the second waits for %v", d)
		}
	})
}

func TestSetRateConcernsWhoWaits(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = 10 * time.Second
		l := ratelimit.New(c)
		begun := time.Now()
		times := make([]time.Duration, 6)
		errs := make([]error, 6)
		var wg sync.WaitGroup
		for i := range times {
			wg.Go(func() {
				errs[i] = l.Do(bg, nothing)
				times[i] = time.Since(begun)
			})
			synctest.Wait()
		}
		r := l.Reserve()
		time.Sleep(1500 * time.Millisecond)
		l.SetRate(10, time.Second)
		if c.Strict {
			if r.Delay() != 0 {
				t.Errorf("with nine of ten free a delay of %v", r.Delay())
			}
		} else if d := r.Delay(); d != 450*time.Millisecond {
			t.Errorf("4.5 calls ahead there is a delay of %v, want 450ms", d)
		}
		synctest.Wait()
		time.Sleep(60 * time.Millisecond)
		l.SetRate(1, time.Minute)
		wg.Wait()
		for i, want := range []time.Duration{0, 1000, 1550, 1560, 1560, 1560} {
			if c.Strict {
				want = min(want, 1500) // the new bound counts two, and admits ten
			}
			if times[i] != want*time.Millisecond || (errs[i] == nil) != (c.Strict || i < 3) {
				t.Errorf("call %d ended after %v: %v; want %vms", i, times[i], errs[i], int64(want))
			}
		}
		for _, err := range errs[3:] {
			if err != nil {
				wantRejection(t, err, ratelimit.ErrLimited)
			}
		}
	})
}

// Between two looks at a reservation the rate may change more than once.
func TestAReservationFollowsAllChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 1, Burst: 1})
		l.Allow()
		r := l.Reserve()
		for _, per := range []time.Duration{time.Minute, time.Second, time.Hour} {
			l.SetRate(1, per)
		}
		if d := r.Delay(); d != time.Hour {
			t.Errorf("a delay of %v, want 1h", d)
		}
		l = ratelimit.New(ratelimit.Config{Rate: 3, Strict: true})
		l.AllowN(3)
		r, three := l.Reserve(), l.ReserveN(3)
		for _, rate := range []int{3, 2, 3} { // with 2 the three are too many, for good
			l.SetRate(rate, time.Minute)
		}
		if d := r.Delay(); d != time.Minute {
			t.Errorf("strictly, a delay of %v, want 1m", d)
		}
		if three.OK() {
			t.Error("what was void is OK again")
		}
	})
}

func TestSetRateGivesNoBurstBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 5})
		l.AllowN(5)
		l.SetRate(10, time.Second)
		if l.Allow() {
			t.Error("the burst is back")
		}
		time.Sleep(100 * time.Millisecond)
		if !l.Allow() || l.Allow() {
			t.Error("want one call after the new interval")
		}
		l.SetRate(1, time.Hour)
		if l.Allow() || l.Fresh() {
			t.Error("the burst is back")
		}
	})
}

// A call of three waits, and the rate becomes two: strictly it can never begin.
func TestSetRateVoidsWhatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 3, Strict: true, MaxWait: time.Hour})
		l.Allow()
		r := l.ReserveN(3)
		errs := make(chan error, 1)
		go func() { errs <- l.AcquireN(bg, 3) }()
		synctest.Wait()
		small := l.Reserve()
		l.SetRate(2, time.Second)
		if rejected := wantRejection(t, <-errs, ratelimit.ErrLimited); rejected != nil {
			if _, ok := rejected.RetryAfter(); ok {
				t.Error("RetryAfter is known")
			}
		}
		if r.OK() || r.Delay() != math.MaxInt64 {
			t.Error("the reservation is still OK")
		}
		r.Cancel()
		if d := small.Delay(); d != 0 {
			t.Errorf("the one behind waits for %v", d)
		}
	})
}

func TestFresh(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		l := ratelimit.New(c)
		want := func(fresh bool, when string) {
			t.Helper()
			if l.Fresh() != fresh {
				t.Errorf("%s it is fresh: %v", when, !fresh)
			}
		}
		want(true, "new")
		l.Allow()
		want(false, "after a call")
		time.Sleep(time.Second - 1)
		want(false, "shortly before the token is back")
		time.Sleep(time.Nanosecond)
		want(true, "when the token is back")
		l.Reserve()
		r := l.Reserve()
		time.Sleep(time.Second)
		want(false, "with a reservation due")
		r.Cancel()
		want(true, "with all over")
		l.SetRate(1, time.Minute)
		want(false, "with another rate")
		l.SetRate(1, 0)
		want(true, "with the first rate")
	})
}

// Nobody's token is lost when callers leave the line: as many get through in the end as there is time for.
func TestTokensAreConserved(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.MaxWait = time.Hour
		l := ratelimit.New(c)
		var admitted atomic.Int64
		for second := range 200 {
			// Of three who come in each second two leave, before anybody's turn.
			for i := range 3 {
				ctx, cancel := context.WithCancel(bg)
				go func() {
					err := l.Do(ctx, func(context.Context) error { admitted.Add(1); return nil })
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}()
				synctest.Wait()
				if i != second%3 {
					cancel()
					synctest.Wait()
				}
				defer cancel()
			}
			time.Sleep(time.Second)
		}
		if n := admitted.Load(); n < 199 {
			t.Errorf("%d of 200 got through", n)
		}
	})
}
