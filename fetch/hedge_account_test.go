package fetch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// What a mirror answers to a hedge speaks against the mirror, not against the URL whose request was slow.
func TestA429ToAHedgeIsTheMirrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(counter).serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
			switch {
			case r.URL.Path != "/x":
				return answer(r, 200, "x"), nil
			case r.URL.Host == "a.test" && n > 1:
				return answer(r, 200, "x"), nil
			case r.URL.Host == "a.test":
				time.Sleep(2 * time.Second)
			}
			return answer(r, 429, ""), nil
		})
		// The answer of a.test is spared, as there was another request to it. Compared with how many b.test had, there would be none.
		items := []Item{{URL: "http://a.test/other"}, mirrored("/x", "a.test", "b.test")}
		for _, u := range many(20, "http://b.test/%d") {
			items = append([]Item{{URL: u}}, items...)
		}
		sink := &collector{t: t}
		_, err := Run(t.Context(), Config{Transport: w, Attempts: 1, Hedge: time.Second}, Items(items...), sink)
		if r := sink.byID()["http://a.test/x"]; err != nil || !r.OK || !r.Attempts[0].Hedged {
			t.Errorf("%v: %v, %+v", err, r.Error, r.Attempts)
		}
	})
}

// An attempt that an outage has made fail is one, though it had two requests, and is forgiven as one.
func TestAHedgedAttemptIsForgivenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut := 30 * time.Second
		c := new(counter)
		w := c.serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			if r.URL.Path != "/x" {
				time.Sleep(3 * time.Second)
				if at < cut {
					return nil, offline[0]
				}
				return answer(r, 200, "x"), nil
			}
			if at < cut {
				time.Sleep(2 * time.Second)
				return nil, offline[0]
			}
			return answer(r, 500, ""), nil
		})
		items := []Item{{URL: "http://x.test/x"}}
		for _, u := range many(10, "http://host%d.test/") {
			items = append(items, Item{URL: u})
		}
		sink := &collector{t: t}
		_, err := Run(t.Context(), Config{Transport: w, Attempts: 2, Hedge: time.Second}, Items(items...), sink)
		r := sink.byID()["http://x.test/x"]
		failed := 0
		for _, a := range r.Attempts {
			if a.Status == 500 {
				failed++
			}
		}
		if err != nil || r.OK || failed != 2 || !r.Attempts[0].Hedged {
			t.Errorf("%v: %d answers, %v, %+v; want two", err, failed, r.Error, r.Attempts)
		}
	})
}

// Near the end of a list nothing else may happen that would let a hedge come which was put off.
func TestAHedgeThatHadToWaitComesByItself(t *testing.T) {
	for name, tc := range map[string]struct {
		urls []string
		c    Config
		most time.Duration
	}{
		"for the budget": {many(20, "http://host%d.test/"), Config{}, 12 * time.Second},
		"for the host":   {many(2, "http://a.test/%d"), Config{HostRate: 0.25}, 16 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := new(counter).serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
				if n == 1 && !napped(r, time.Minute) {
					return nil, r.Context().Err()
				}
				return answer(r, 200, "x"), nil
			})
			begin := time.Now()
			tc.c.Hedge, tc.c.Timeout = time.Second, 2*time.Minute
			fetchAll(t, tc.c, w, tc.urls...)
			if took := time.Since(begin); took > tc.most {
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
}
