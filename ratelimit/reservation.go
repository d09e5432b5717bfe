package ratelimit

import (
	"context"
	"math"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// A Reservation is the right to begin at an instant to come, for callers who do the waiting themselves. It is a small value; copies
// stand for the same reservation, and all methods are safe for concurrent use. The zero Reservation is one that was not OK.
type Reservation struct{ booked *booking }

type booking struct {
	limiter *Limiter
	place   place // guarded, as canceled is, by the limiter's mu
	gone    bool  // canceled
}

// Reserve takes the next place in the line for one call, however long it has to wait, and returns at once. Config.MaxWait does not apply. It allocates.
//
// Who reserves either waits for Delay and begins, or cancels.
func (l *Limiter) Reserve() Reservation { return l.ReserveN(1) }

// ReserveN is Reserve for n calls at once. A Reservation of more than Burst, or than Rate with Strict, is not OK. It panics if n is below 1.
func (l *Limiter) ReserveN(n int) Reservation {
	mustCount("ReserveN", n)
	if n <= l.era.Load().most() {
		if p, _, ok := l.take(int64(clock.Now()), n, math.MaxInt64); ok {
			l.admitted.Add(1)
			return Reservation{&booking{limiter: l, place: p}}
		}
	}
	l.reject(context.Background(), n, math.MaxInt64)
	return Reservation{}
}

// OK reports whether the calls may be made, be it after a wait. It is false for calls that come too many at once, and after Cancel.
func (r Reservation) OK() bool {
	_, ok := r.left()
	return ok
}

// Delay returns how long to wait, from now, before the calls may begin: 0 if they may begin at once, and the longest Duration there is if
// they may not be made at all. SetRate changes it; ask again after the wait if that may have happened.
func (r Reservation) Delay() time.Duration {
	left, _ := r.left()
	return time.Duration(left)
}

func (r Reservation) left() (int64, bool) {
	b := r.booked
	if b == nil {
		return math.MaxInt64, false
	}
	now := int64(clock.Now())
	b.limiter.mu.Lock()
	defer b.limiter.mu.Unlock()
	if b.gone {
		return math.MaxInt64, false
	}
	return b.place.left(now)
}

// Cancel says that the calls were not made and will not be, and gives their tokens back. Only the first Cancel counts. Do not cancel what has begun: it
// would be admitted twice.
//
// The last reservation in line is as if it had never been. The place of one in the middle goes to the next who comes before it is due; those
// behind keep their own.
func (r Reservation) Cancel() {
	b := r.booked
	if b == nil {
		return
	}
	now := int64(clock.Now())
	b.limiter.mu.Lock()
	defer b.limiter.mu.Unlock()
	if !b.gone {
		b.gone = true
		b.place.cancel(now)
	}
}
