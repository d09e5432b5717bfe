package fetch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A host whose every URL fails once, or the first of which do nothing else, is well: its first URLs must not take the patience to show it.
func TestAHostIsNotDownBecauseEachURLFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		for _, format := range []string{"http://a.test/reset/%d?heal=1", "http://a.test/status/503/%d?heal=1", "http://a.test/short/%d?heal=1"} {
			begin := time.Now()
			for u, r := range net.fetch(t, Config{}, many(300, format)...) {
				if !r.OK {
					t.Errorf("%s: %v", u, r.Error)
				}
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("%s: took %v", format, took)
			}
		}
		begin := time.Now()
		urls := append(many(30, "http://a.test/reset/bad/%d"), many(3000, "http://a.test/ok/%d")...) // nearly any is good
		for u, r := range net.fetch(t, Config{}, urls...) {
			if end := r.Started.Sub(begin); r.OK && end > 20*time.Second || !r.OK && !strings.Contains(u, "bad") {
				t.Errorf("%s: %v, begun after %v", u, r.Error, end)
			}
		}
	})
}

// The same of a host whose every URL fails a few times: it may not be parked once for every few that are new.
func TestAHostIsNotDownBecauseEachURLFailsAFewTimes(t *testing.T) {
	for heal, most := range map[int]time.Duration{2: time.Minute, 3: 3 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			net := inMemory(t, 1)
			for _, kind := range []string{"reset", "status/500"} {
				begin := time.Now()
				for u, r := range net.fetch(t, Config{}, many(500, fmt.Sprintf("http://a.test/%s/%%d?heal=%d", kind, heal))...) {
					if !r.OK || len(r.Attempts) != heal+1 {
						t.Errorf("%s: %v after %d attempts", u, r.Error, len(r.Attempts))
					}
				}
				if took := time.Since(begin); took > most {
					t.Errorf("%s, %d times: took %v", kind, heal, took)
				}
			}
		})
	}
}

// URLs that never do anything but fail do not go before those that nobody has asked for yet.
func TestURLsThatAreGoodDoNotWaitForThoseThatAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "bad") {
				time.Sleep(5 * time.Second)
				return answer(r, 500, ""), nil
			}
			return answer(r, 200, "x"), nil
		})
		begin := time.Now()
		for u, r := range fetchAll(t, Config{}, w, append(many(30, "http://a.test/bad/%d"), many(3000, "http://a.test/%d")...)...) {
			if d := r.Started.Sub(begin); r.OK && d > 40*time.Second {
				t.Errorf("%s: %v", u, d)
			}
		}
	})
}
