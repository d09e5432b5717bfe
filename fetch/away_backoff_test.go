package fetch

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What waits between its attempts takes memory, but as long as there is more of that, its host goes on with what waits in the file.
func TestItemsBetweenAttemptsDoNotKeepTheirHostIdle(t *testing.T) {
	for _, tc := range []struct{ window, failing, n int }{
		{60, 20, 300}, {60, 20, 3000}, {100, 40, 300}, {250, 100, 5000},
		{40, 30, 300}, // more than half of the window, which is free for them as there is no other host to come
	} {
		synctest.Test(t, func(t *testing.T) {
			w := new(counter).serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
				time.Sleep(10 * time.Millisecond)
				if n == 1 && strings.Contains(r.URL.Path, "again") {
					return answer(r, 408, ""), nil
				}
				return answer(r, 200, "x"), nil
			})
			urls := append(many(tc.failing, "http://a.test/again/%d"), many(tc.n, "http://a.test/%d")...)
			begin := time.Now()
			var late int
			for u, r := range fetchAll(t, Config{Window: tc.window, Backoff: time.Hour, MaxBackoff: time.Hour}, w, urls...) {
				if !r.OK {
					t.Errorf("%s: %v", u, r.Error)
				}
				if !strings.Contains(u, "again") && r.Started.Sub(begin) > time.Minute {
					late++
				}
			}
			if late > 0 {
				t.Errorf("%+v: %d waited for URLs that were between their attempts", tc, late)
			}
		})
	}
}

// A host may not have all of the window for what waits between its attempts: then other hosts would not be found.
func TestItemsBetweenAttemptsLeaveRoomForOtherHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(counter).serve(func(r *http.Request, n int, _ time.Duration) (*http.Response, error) {
			time.Sleep(10 * time.Millisecond)
			if n == 1 && r.URL.Host == "a.test" {
				return answer(r, 408, ""), nil
			}
			return answer(r, 200, "x"), nil
		})
		const n = 900
		var begun time.Time // the second half of the list
		src := func(ctx context.Context) iter.Seq2[Item, error] {
			return func(yield func(Item, error) bool) {
				for i := range n {
					it := Item{URL: fmt.Sprintf("http://a.test/%d", i)}
					if i >= n/2 {
						it.URL = fmt.Sprintf("http://b%d.test/%d", i%20, i)
					}
					if i == n/2 {
						time.Sleep(time.Minute) // in which a.test gets all that it may have
						begun = time.Now()
					}
					if !yield(it, nil) {
						return
					}
				}
			}
		}
		sink := &collector{t: t}
		counts, err := Run(t.Context(), Config{Window: 100, Transport: w, Backoff: time.Hour, MaxBackoff: time.Hour}, src, sink)
		if err != nil || counts.OK != n {
			t.Errorf("%v: %+v", err, counts)
		}
		for u, r := range sink.byID() {
			if d := r.Started.Sub(begun); d > 5*time.Second && !strings.Contains(u, "a.test") {
				t.Fatalf("%s began after %v", u, d)
			}
		}
	})
}
