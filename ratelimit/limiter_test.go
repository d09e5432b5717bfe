package ratelimit_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/layer"
	"github.com/mettle-go/mettle/ratelimit"
)

var bg = context.Background()

var (
	_ mettle.Gate      = (*ratelimit.Limiter)(nil)
	_ mettle.Describer = (*ratelimit.Limiter)(nil)
	_ layer.Gate       = (*ratelimit.Limiter)(nil)
)

func TestABucketFillsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 10, Burst: 3})
		for i, want := range []bool{true, true, true, false, false} {
			if got := l.Allow(); got != want {
				t.Errorf("call %d: %v, want %v", i, got, want)
			}
		}
		time.Sleep(100*time.Millisecond - 1)
		if l.Allow() {
			t.Error("admitted a nanosecond too early")
		}
		time.Sleep(time.Nanosecond)
		if !l.Allow() || l.Allow() {
			t.Error("want one call after an interval, and not two")
		}
		time.Sleep(time.Hour)
		if l.AllowN(4) || !l.AllowN(3) || l.AllowN(1) {
			t.Error("want three calls after an hour")
		}
	})
}

func TestCallersWaitInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 10, Burst: 1, MaxWait: 500 * time.Millisecond})
		begun := time.Now()
		var mu sync.Mutex
		var order []int
		for i := range 8 {
			go func() {
				err := l.Do(bg, func(context.Context) error {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, i)
					if want := time.Duration(i) * 100 * time.Millisecond; time.Since(begun) != want {
						t.Errorf("call %d ran after %v, want %v", i, time.Since(begun), want)
					}
					return nil
				})
				if (err == nil) != (i <= 5) {
					t.Errorf("call %d: %v", i, err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Second)
		mu.Lock()
		defer mu.Unlock()
		if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(order, want) {
			t.Errorf("the order was %v, want %v", order, want)
		}
	})
}

// What several calls at once are told is about several calls at once.
func TestSemantics2RetryAfterIsForAsMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []ratelimit.Config{{Rate: 3, Per: 3 * time.Second, Burst: 3}, {Rate: 3, Per: 2 * time.Second, Strict: true}} {
			l := ratelimit.New(c)
			l.Allow()
			time.Sleep(time.Second / 2)
			l.AllowN(2)
			rejected := wantRejection(t, l.AcquireN(bg, 3), ratelimit.ErrLimited)
			d, ok := rejected.RetryAfter()
			if one, _ := wantRejection(t, l.Do(bg, nothing)).RetryAfter(); !ok || d <= one {
				t.Errorf("RetryAfter is %v, %v for three calls and %v for one", d, ok, one)
			}
			time.Sleep(d - 1)
			if l.AllowN(3) {
				t.Errorf("three were let in before %v", d)
			}
			if time.Sleep(time.Nanosecond); !l.AllowN(3) {
				t.Errorf("three were rejected after %v", d)
			}
		}
	})
}

// Each way in counts, and each way out.
func TestAllAreCounted(t *testing.T) {
	both(t, func(t *testing.T, c ratelimit.Config) {
		c.Rate, c.Burst, c.Per = 5, 5*c.Burst, time.Hour
		for _, c.Observer = range []mettle.Observer{nil, func(context.Context, mettle.Event) {}} {
			l := ratelimit.New(c)
			for range 2 {
				l.Allow()
				l.AllowN(1)
				l.Acquire(bg)
				l.AcquireN(bg, 1)
				l.Do(bg, nothing)
			}
			l.ReserveN(6)
			wantMetric(t, l, "admitted", 5)
			wantMetric(t, l, "rejections", 6)
			l.Reserve()
			wantMetric(t, l, "admitted", 6)
			wantMetric(t, l, "waited", 0)
		}
	})
}
