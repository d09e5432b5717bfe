package fetch

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

func TestInterval(t *testing.T) {
	for rate, want := range map[float64]time.Duration{
		0: 0, 1: time.Second, 50: 20 * time.Millisecond, 3: 333333334, 0.5: 2 * time.Second, 1e9: 1, 1e12: 1, 1e-30: 1 << 62,
	} {
		if got := interval(rate); got != want {
			t.Errorf("interval(%v) = %v, want %v", rate, got, want)
		}
	}
}

// Whoever starts as soon as he may, but always a little late, as timers are, has the rate exactly, and is never above it.
func TestSpacingIsExactThoughTimersAreLate(t *testing.T) {
	for _, begin := range []clock.Instant{0, -1 << 59} {
		for _, every := range []time.Duration{100 * time.Microsecond, 7 * time.Millisecond, time.Second} {
			r := rand.New(rand.NewPCG(1, uint64(every)))
			var s spacing
			var starts []clock.Instant
			const n = 5000
			now := begin
			for range n {
				now = max(now, s.next(every)).Add(time.Duration(r.Int64N(int64(min(grain, every) / 2))))
				s.take(now, every)
				starts = append(starts, now)
			}
			for i, at := range starts {
				for _, k := range []int{1, 2, 10, 100, 1000} {
					if i >= k && at.Sub(starts[i-k]) < time.Duration(k)*every-grain {
						t.Fatalf("every %v: %d starts within %v", every, k+1, at.Sub(starts[i-k]))
					}
				}
			}
			if took := now.Sub(begin); took > n*every+grain {
				t.Errorf("every %v: %d starts took %v, want %v", every, n, took, n*every)
			}
		}
	}
}

func TestSpacingSavesNothingUp(t *testing.T) {
	var s spacing
	s.take(0, time.Second)
	idle := clock.Instant(time.Hour)
	s.take(idle, time.Second)
	if got := s.next(time.Second); got != idle.Add(time.Second) {
		t.Errorf("after an hour of quiet the second start may come at %v, want an interval after the first", got)
	}
}

func TestTheRunsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
			if r.URL.Path == "/7" && n == 1 {
				return answer(r, 500, ""), nil // attempts count
			}
			return answer(r, 200, "ok"), nil
		})
		var urls []string
		for i := range 1000 {
			urls = append(urls, fmt.Sprintf("http://host%d.test/%d", i%50, i))
		}
		fetchAll(t, Config{Rate: 40, Concurrency: 8}, w, urls...)
		var asked []time.Duration
		for _, host := range c.asked {
			asked = append(asked, host...)
		}
		slices.Sort(asked)
		for i, at := range asked {
			if at != time.Duration(i)*25*time.Millisecond { // timers are exact in a bubble
				t.Fatalf("request %d began at %v", i, at)
			}
		}
		if len(asked) != 1001 {
			t.Errorf("%d requests", len(asked))
		}
	})
}

// Each host has its own rate, and one that may not be asked yet keeps no worker from the others.
func TestTheHostRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/moved") {
				return answer(r, 302, "", "Location", "/ok"+strings.TrimPrefix(r.URL.Path, "/moved")), nil // redirects count
			}
			return answer(r, 200, "ok"), nil
		})
		var urls []string
		for i := range 20 {
			urls = append(urls, fmt.Sprintf("http://a.test/moved%d", i), fmt.Sprintf("http://a.test/ok%d", 100+i), fmt.Sprintf("http://b.test/ok%d", i))
		}
		for u, r := range fetchAll(t, Config{HostRate: 0.5, Concurrency: 1}, w, urls...) {
			if !r.OK || len(r.Attempts) != 1 || (r.FinalURL != "") != strings.Contains(u, "moved") {
				t.Errorf("%s: %+v", u, r)
			}
		}
		for host, n := range map[string]int{"a.test": 60, "b.test": 20} {
			if len(c.asked[host]) != n {
				t.Errorf("%s: %d requests, want %d", host, len(c.asked[host]), n)
			}
			for i, at := range c.asked[host] {
				if at != time.Duration(i)*2*time.Second {
					t.Fatalf("%s: request %d began at %v", host, i, at)
				}
			}
		}
	})
}

// The rate of a host is the least distance also where the host asks for less.
func TestTheHostRateIsTheFloorOfThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		var once sync.Once
		w := c.serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
			resp := answer(r, 200, "ok")
			once.Do(func() { resp = answer(r, 429, "") })
			return resp, nil
		})
		fetchAll(t, Config{HostRate: 4}, w, many(100, "http://a.test/%d")...)
		asked := c.asked["a.test"]
		for i := 1; i < len(asked); i++ {
			if asked[i]-asked[i-1] < 250*time.Millisecond {
				t.Errorf("request %d came %v after the one before", i, asked[i]-asked[i-1])
			}
		}
	})
}

func TestRatesThatAreNone(t *testing.T) {
	for want, c := range map[string]Config{
		"fetch: Config.Rate is -1, want 0 or more requests a second":       {Rate: -1},
		"fetch: Config.Rate is NaN, want 0 or more requests a second":      {Rate: math.NaN()},
		"fetch: Config.HostRate is +Inf, want 0 or more requests a second": {HostRate: math.Inf(1)},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}
