package fetch

import (
	"math"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// grain is how late a start may come, since timers are late and the loop may be busy, and still have its place on the time line.
const grain = 10 * time.Millisecond

// A spacing keeps starts an interval apart: the generic cell rate algorithm with a burst of one. The interval may be another each time. The zero
// spacing has seen no start yet.
//
// A start that is late by at most grain does not delay the ones after it, so that the rate is exact in the long run. Hence at most 1 + (w+grain)/interval
// starts lie within any time w.
type spacing struct {
	slot clock.Instant // where the last start has its place
	used bool
}

// next returns when the next start may come.
func (s *spacing) next(interval time.Duration) clock.Instant {
	if !s.used {
		return clock.Unread + 1 // ever since
	}
	return s.slot.Add(interval)
}

// take notes a start.
func (s *spacing) take(now clock.Instant, interval time.Duration) {
	if next := s.next(interval); now.Sub(next) <= grain {
		s.slot = next
	} else {
		s.slot = now
	}
	s.used = true
}

// interval is the time between starts at a rate a second, rounded up so that the rate is never exceeded; 0 if there is no rate.
func interval(rate float64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(min(math.Ceil(float64(time.Second)/rate), 1<<62))
}
