package clock

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestAddSaturates(t *testing.T) {
	for _, c := range []struct {
		t    Instant
		d    time.Duration
		want Instant
	}{
		{0, 5, 5},
		{-1 << 59, 1, -1<<59 + 1},
		{math.MaxInt64, 0, math.MaxInt64},
		{math.MaxInt64 - 1, 1, math.MaxInt64},
		{math.MaxInt64 - 1, 2, math.MaxInt64},
		{1, math.MaxInt64, math.MaxInt64},
		{-1 << 59, math.MaxInt64, math.MaxInt64 - 1<<59},
		{0, math.MinInt64, Unread + 1},
		{-1, math.MinInt64, Unread + 1},
		{-1 << 59, math.MinInt64, Unread + 1},
		{Unread + 1, -1, Unread + 1},
		{Unread + 2, -1, Unread + 1},
	} {
		if got := c.t.Add(c.d); got != c.want {
			t.Errorf("%d.Add(%d) = %d, want %d", c.t, c.d, got, c.want)
		}
	}
}

func TestSubNeverNegative(t *testing.T) {
	for _, c := range []struct {
		t, u Instant
		want time.Duration
	}{
		{7, 5, 2},
		{5, 7, 0},
		{5, 5, 0},
		{-1<<59 + 3, -1 << 59, 3},
		{math.MaxInt64, -1, math.MaxInt64},
		{math.MaxInt64, Unread + 1, math.MaxInt64},
		{Unread + 1, math.MaxInt64, 0},
	} {
		if got := c.t.Sub(c.u); got != c.want {
			t.Errorf("%d.Sub(%d) = %d, want %d", c.t, c.u, got, c.want)
		}
	}
}

func TestOrNowKeepsAReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, read := range []Instant{0, -1, 1 << 40, Unread + 1} {
			if got := read.OrNow(); got != read {
				t.Errorf("%d.OrNow() = %d", read, got)
			}
		}
		if got, want := Unread.OrNow(), Now(); got != want {
			t.Errorf("Unread.OrNow() = %d, want the clock's %d", got, want)
		}
	})
}

// Bubbles stand in the year 2000, long before the process began.
func TestBubblesCountExactlyAndNegative(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			start := Now()
			if start >= 0 {
				t.Fatalf("Now() = %d in a bubble, want a negative instant", start)
			}
			if !start.Time().Equal(time.Now()) {
				t.Errorf("Time() = %v, want %v", start.Time(), time.Now())
			}
			const d = 3*time.Hour + 7
			time.Sleep(d)
			if got := Now().Sub(start); got != d {
				t.Errorf("%v passed, want %v", got, d)
			}
			if left := time.Until(start.Add(2 * d).Time()); left != d {
				t.Errorf("%v left, want %v", left, d)
			}
		})
	}
}
