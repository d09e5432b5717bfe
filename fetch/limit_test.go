package fetch

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A rule is how a host decides whether to serve the n-th request for its i-th URL, at that time.
type rule func(i, n int, at time.Duration) bool

// refuses gives 429 to so many percent of the URLs, the first times that they are asked for, however slowly.
func refuses(percent int, times int) rule {
	drawn := rand.New(rand.NewPCG(1, 2)).Perm(100)
	return func(i, n int, _ time.Duration) bool { return n > times || drawn[(i*i+i/7)%100] >= percent }
}

// errs gives 429 to so many percent of the requests, at random.
func errs(percent int) rule {
	r := rand.New(rand.NewPCG(3, 4))
	return func(int, int, time.Duration) bool { return r.IntN(100) >= percent }
}

// quota serves n requests a period, and counts anew in each.
func quota(n int, period time.Duration) rule {
	current, used := time.Duration(-1), 0
	return func(_, _ int, at time.Duration) bool {
		if p := at.Truncate(period); p != current {
			current, used = p, 0
		}
		used++
		return used <= n
	}
}

// bucket serves one request each time, and burst at once after quiet.
func bucket(every time.Duration, burst int) rule {
	var full time.Duration // when the bucket is full again
	return func(_, _ int, at time.Duration) bool {
		if full = max(full, at); full-at > time.Duration(burst-1)*every {
			return false
		}
		full += every
		return true
	}
}

// Whatever a host has against requests, all its URLs come in the end: not long after they could have come at best, and without many requests
// for nothing. Those that are refused for other reasons than the speed are not to slow the host down.
func TestHostsThatSay429(t *testing.T) {
	for _, c := range []struct {
		name     string
		rule     rule
		urls     int
		latency  time.Duration
		best     time.Duration // that is possible
		within   float64       // of best
		refusals int           // at most
	}{
		{"2% of the URLs once", refuses(2, 1), 1000, 100 * time.Millisecond, 13 * time.Second, 4, 20},
		{"11% of the URLs once", refuses(11, 1), 1000, 100 * time.Millisecond, 14 * time.Second, 20, 120},
		{"20% of the URLs once", refuses(20, 1), 1000, 100 * time.Millisecond, 15 * time.Second, 20, 250},
		{"50% of the URLs once", refuses(50, 1), 1000, 100 * time.Millisecond, 19 * time.Second, 20, 550},
		{"all URLs once", refuses(100, 1), 1000, 100 * time.Millisecond, 25 * time.Second, 20, 1000},
		{"20% of the URLs twice", refuses(20, 2), 1000, 100 * time.Millisecond, 18 * time.Second, 20, 500},
		{"5% of the requests", errs(5), 1000, 100 * time.Millisecond, 13 * time.Second, 4, 100},
		{"33% of the requests", errs(33), 1000, 100 * time.Millisecond, 19 * time.Second, 20, 600},
		{"1 in 10 s", bucket(10*time.Second, 1), 60, 50 * time.Millisecond, 600 * time.Second, 2, 600},
		{"1 a second", bucket(time.Second, 1), 300, 50 * time.Millisecond, 300 * time.Second, 2, 300},
		{"1 a second, 60 at once", bucket(time.Second, 60), 360, 50 * time.Millisecond, 300 * time.Second, 1.2, 300},
		{"40 a second", bucket(25*time.Millisecond, 1), 4000, 10 * time.Millisecond, 100 * time.Second, 2, 500},
		{"500 a second, 20 at once", bucket(2*time.Millisecond, 20), 5000, 5 * time.Millisecond, 10 * time.Second, 4, 900},
		{"2 in each second", quota(2, time.Second), 400, 50 * time.Millisecond, 200 * time.Second, 2, 1000},
		{"40 in each second", quota(40, time.Second), 4000, 10 * time.Millisecond, 100 * time.Second, 2, 500},
		{"10 in each minute", quota(10, time.Minute), 100, 50 * time.Millisecond, 540 * time.Second, 2, 250},
		{"600 in each minute", quota(600, time.Minute), 3000, 50 * time.Millisecond, 240 * time.Second, 2, 300},
	} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			refused := 0
			w := new(counter).serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
				time.Sleep(c.latency) // in a synctest bubble
				mu.Lock()
				defer mu.Unlock()
				var i int
				fmt.Sscanf(r.URL.Path, "/%d", &i)
				if c.rule(i, n, at) {
					return answer(r, 200, "ok"), nil
				}
				refused++
				return answer(r, 429, ""), nil
			})
			begin := time.Now()
			for u, r := range fetchAll(t, Config{}, w, many(c.urls, "http://a.test/%d")...) {
				if !r.OK {
					t.Errorf("%s: %s: %v after %d attempts", c.name, u, r.Error, len(r.Attempts))
				}
			}
			took := time.Since(begin)
			t.Logf("%s: %d URLs took %v, %d requests refused", c.name, c.urls, took.Round(time.Second/10), refused)
			if took.Seconds() > c.best.Seconds()*c.within || refused > c.refusals {
				t.Errorf("%s: %d URLs took %v and %d refusals, want at most %g times %v and %d", c.name, c.urls, took, refused, c.within, c.best, c.refusals)
			}
		})
	}
}
