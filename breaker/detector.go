package breaker

import (
	"sync"
	"time"

	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// A Detector decides when a closed breaker opens. It is made by the function given to Custom, one for each closed
// period.
type Detector interface {
	// Trips takes the result of a call and reports whether the breaker is to open. It must be safe for
	// concurrent use, and must not block: the call's return waits for it. It runs outside of any lock. While the breaker
	// opens, and if calls end at the same time, it may be asked about a few more results after one that
	// trips.
	//
	// If it panics, the result is not counted, and the panic goes on to the caller.
	Trips(o Outcome) bool
}

// An Outcome is the result of a call that was not ignored, as a Detector gets it.
type Outcome struct {
	Err    error         // as fn returned it; mettle.ErrUnfinished if fn panicked or ended its goroutine
	Failed bool          // the verdict: mettle.Failure or mettle.Success. With an Err it may be either: see Classify
	Took   time.Duration // from admission to the end, up to 1024 ns too much; begins at 0 again after some 13 days
	At     time.Time     // when it ended, with a monotonic reading
}

// guarded is a window in a period. Its lock is held for arithmetic only.
type guarded struct {
	mu     sync.Mutex
	window core.Window
}

func (g *guarded) count(now int64, failed, slow bool) (trips bool) {
	g.mu.Lock()
	trips = g.window.Count(now, failed, slow)
	g.mu.Unlock()
	return trips
}

func (g *guarded) read(now int64) core.Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.window.Read(now)
}

// generationsOf returns the bits of a token that are a generation. Where calls are timed, those above are the
// stamp of the call's begin. A result that comes 16 million periods late would be taken for a new one, which takes
// a permit kept for longer than that.
func generationsOf(timed bool) uint64 {
	if timed {
		return 1<<(64-core.StampBits) - 1
	}
	return 1<<64 - 1
}
