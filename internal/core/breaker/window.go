package breaker

import "time"

// Subs is how many sub-windows a window of time has. They expire one by one, so that the window covers between 15/16
// of its time and all of it.
const Subs = 16

const (
	// MaxCalls is the longest window of calls: its two bits a call are made anew for each closed period.
	MaxCalls = 1 << 20
	// MinTime is the shortest window of time. Below it a sub-window would come near the cost of a call.
	MinTime = time.Millisecond
)

// maxSub is how many calls a sub-window counts; the others are as if they had not been. The sum of all is then an exact
// float64.
const maxSub = 1 << 48

// A Rate is when the failures, or the slow calls, among the latest are too many. It is valid and has its defaults
// filled in. It is immutable.
type Rate struct {
	Calls int           // how many calls the window holds, 1 to MaxCalls; or 0
	Time  time.Duration // how long it holds them, MinTime or more; or 0
	Min   int           // how many it must hold to trip, 1 or more, at most Calls if that is set
	// Failures and Slow are the shares of calls that trip, above 0 and at most 1. Slow may be 0: slow calls do not trip.
	Failures, Slow float64
}

// Counts are the calls in a window.
type Counts struct{ Calls, Failures, Slow uint64 }

// FailureRate returns the share of failures, 0 of no calls.
func (c Counts) FailureRate() float64 { return share(c.Failures, c.Calls) }

// SlowRate returns the share of slow calls, 0 of no calls.
func (c Counts) SlowRate() float64 { return share(c.Slow, c.Calls) }

// share is one division and so correctly rounded: 3 of 30 are what the compiler makes of 0.1.
func share(part, of uint64) float64 {
	if part == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// A Window holds the latest results of one closed period.
type Window struct {
	rate Rate
	sum  Counts // of all that it holds

	// Of a window of calls: a ring with a bit for each.
	failed, slow []uint64
	next         int

	// Of a window of time: a ring of sub-windows, how long each is, and when the current one began.
	subs    [Subs]Counts
	current uint
	length  uint64
	began   int64
}

// Begin returns an empty window that begins at now.
func (r *Rate) Begin(now int64) Window {
	w := Window{rate: *r, length: uint64(r.Time / Subs), began: now}
	if r.Calls > 0 {
		w.failed = make([]uint64, (r.Calls+63)/64)
		if r.Slow > 0 {
			w.slow = make([]uint64, len(w.failed))
		}
	}
	return w
}

// Count adds the result of a call that ended at now and reports whether the window trips. A window of calls does
// not look at now. A clock that went back counts as no time passed.
func (w *Window) Count(now int64, failed, slow bool) (trips bool) {
	if w.rate.Calls > 0 {
		w.push(failed, slow)
	} else {
		w.expire(now)
		w.add(failed, slow)
	}
	// Most windows hold nothing but good calls: for them this is all.
	return w.sum.Failures|w.sum.Slow != 0 && w.trips()
}

// Read returns what the window holds at now.
func (w *Window) Read(now int64) Counts {
	if w.rate.Time > 0 {
		w.expire(now)
	}
	return w.sum
}

func (w *Window) trips() bool {
	if w.sum.Calls < uint64(w.rate.Min) {
		return false
	}
	return w.sum.FailureRate() >= w.rate.Failures || w.rate.Slow > 0 && w.sum.SlowRate() >= w.rate.Slow
}

func (w *Window) push(failed, slow bool) {
	if w.sum.Calls < uint64(w.rate.Calls) {
		w.sum.Calls++ // the place is empty: its bits are 0
	}
	replace(w.failed, w.next, failed, &w.sum.Failures)
	if w.slow != nil {
		replace(w.slow, w.next, slow, &w.sum.Slow)
	}
	if w.next++; w.next == w.rate.Calls {
		w.next = 0
	}
}

// replace sets the ith bit and keeps the count of bits that are set.
func replace(bits []uint64, i int, set bool, count *uint64) {
	word, bit := &bits[i/64], uint64(1)<<(i%64)
	if *word&bit != 0 {
		*word &^= bit
		*count--
	}
	if set {
		*word |= bit
		*count++
	}
}

func (w *Window) add(failed, slow bool) {
	sub := &w.subs[w.current%Subs]
	if sub.Calls == maxSub {
		return
	}
	sub.Calls++
	w.sum.Calls++
	if failed {
		sub.Failures++
		w.sum.Failures++
	}
	if slow {
		sub.Slow++
		w.sum.Slow++
	}
}

// expire makes the sub-window of now the current one and empties those that are over.
func (w *Window) expire(now int64) {
	// Unsigned, so that it is exact also where an int64 is too small for the difference. It is large too if the
	// clock went back.
	if uint64(now)-uint64(w.began) >= w.length {
		w.turn(now)
	}
}

// turn is rare, and kept out of expire so that the compiler can put that into Count.
//
//go:noinline
func (w *Window) turn(now int64) {
	if now < w.began {
		return
	}
	n := (uint64(now) - uint64(w.began)) / w.length
	w.began = int64(uint64(w.began) + n*w.length)
	for range min(n, Subs) {
		w.current++
		old := &w.subs[w.current%Subs]
		w.sum.Calls -= old.Calls
		w.sum.Failures -= old.Failures
		w.sum.Slow -= old.Slow
		*old = Counts{}
	}
}

// A Stamp is the moment at which a call began, in 40 bits: in units of 1024 ns, and from anew every 13 days.
type Stamp uint64

// StampBits is how many bits a Stamp has.
const StampBits = 40

const stampMask = 1<<StampBits - 1

// StampOf returns the stamp of now.
func StampOf(now int64) Stamp { return Stamp(now>>10) & stampMask }

// back is how far, in units, a clock may have gone back. Long calls take up the other differences.
const back = 1 << 32

// Took returns the time from the stamp to now, at most 1024 ns too much. After some 13 days it begins at 0 again.
// A clock that went back, by up to an hour, counts as no time passed.
func (s Stamp) Took(now int64) time.Duration {
	units := (uint64(now>>10) - uint64(s)) & stampMask
	if units > stampMask-back {
		return 0
	}
	return time.Duration(units<<10 | uint64(now)&(1<<10-1))
}
