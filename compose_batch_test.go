package mettle_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// A batch in the middle of which its dependency is down for two minutes: every item is done in the end, and meanwhile the dependency
// sees hardly more than the probes of the breaker.
func TestStackOfABatchOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const from, to = 10 * time.Second, 130 * time.Second
		begin := time.Now()
		var failed, done atomic.Int64
		items := make([]int, 500)
		_, err := group.Map(t.Context(), items, group.Config{Limit: 8, MaxFailures: -1, Policy: newUploads()},
			func(context.Context, int) (int, error) {
				time.Sleep(time.Second)
				if at := time.Since(begin); at > from && at <= to {
					failed.Add(1)
					return 0, errDown
				}
				done.Add(1)
				return 0, nil
			})
		if err != nil || done.Load() != int64(len(items)) {
			t.Errorf("%d of %d items done: %v", done.Load(), len(items), err)
		}
		if n := failed.Load(); n < 8 || n > 20 {
			t.Errorf("%d attempts met the outage of %v, want the few that opened the breaker, and its probes", n, to-from)
		}
	})
}
