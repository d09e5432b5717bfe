package fetch

import (
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// collecting measures what is in use at the n-th record.
type collecting struct {
	n    int
	heap uint64
}

func (c *collecting) Flush() error { return nil }
func (c *collecting) Write(*Record) error {
	if c.n--; c.n == 0 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		c.heap = m.HeapAlloc
	}
	return nil
}

// What a hedge would need is gone with its request, however far off the hedge was.
func TestTheHedgesThatNeverCameTakeNoMemory(t *testing.T) {
	const n = 20_000
	used := func(hedge time.Duration) uint64 {
		sink := &collecting{n: n}
		synctest.Test(t, func(t *testing.T) {
			w := wire(func(r *http.Request) (*http.Response, error) { return answer(r, 200, ""), nil })
			if _, err := Run(t.Context(), Config{Transport: w, Hedge: hedge}, list(n, func(int) string { return "http://a.test/" }), sink); err != nil {
				t.Error(err)
			}
		})
		return sink.heap
	}
	if without, with := used(0), used(time.Hour); with > without+5<<20 {
		t.Errorf("%d MB in use, and %d without hedges", with>>20, without>>20)
	}
}
