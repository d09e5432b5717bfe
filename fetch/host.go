package fetch

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/core/breaker"
)

// A host is all that is known of one name and port: what waits for it, what runs, and when it may be asked again. The run's
// loop owns it, so that there is one place and no lock. Only held is also told and asked by requests that run.
type host struct {
	name    string
	queue   fifo[*task]
	spilled *spilled // items behind those of queue; nil: there were never any
	running int
	tasks   int  // in memory, waiting anywhere or running
	listed  bool // in run.ready
	alarmed bool // in run.alarms
	resting bool // and for so long that it is worth telling

	begun  uint64 // requests so far
	starts spacing
	pace   pace

	mirrored  int           // of queue: those whose items have mirrors
	avoided   bool          // they go elsewhere, if they can
	evacuated clock.Instant // if avoided: when they were looked through last

	held      hold
	breaker   breaker.State
	down      bool // the breaker opened and has not closed since
	downSince clock.Instant
	healing   bool // it was a task that had failed before which closed it
	odd       bool // of the times that a task was chosen; even when the breaker opens
}

// push lets t wait for h.
func (h *host) push(t *task) {
	h.queue.push(t)
	if t.route != nil {
		h.mirrored++
	}
}

// pop takes the task that has waited longest. There must be one.
func (h *host) pop() *task { return h.take(0) }

// take takes the task that is at i in the queue.
func (h *host) take(i int) *task {
	t := h.queue.remove(i)
	if t.route != nil {
		h.mirrored--
	}
	return t
}

// lookAtMost is how many tasks are looked at for one that has failed before, outside of probes.
const lookAtMost = 64

// choose takes the task to go next, which is the one that has waited longest if h is well. There must be one.
//
// If h is down, so that this is a probe, it is in turns the one that has failed most often and any one: of those that have not been tried, each
// may have to fail a few times first, and h would stay down until all have; but the one may also be such that it never does anything but fail, and
// its neighbors in the list too.
//
// If it was one that had failed before which found h up again, such tasks take turns with the others from then on: those that are new, all of which
// go first otherwise, may have nothing but failures to bring, and park h again and again.
func (h *host) choose(probe bool) *task {
	h.odd = !h.odd
	switch {
	case probe && h.odd:
		return h.take(h.worst(0))
	case probe:
		return h.take(rand.IntN(h.queue.len))
	case h.healing && h.odd:
		return h.take(h.worst(h.queue.len - lookAtMost)) // where those are that were put back last
	}
	return h.pop()
}

// worst returns which of the tasks in the queue, from that one on, has failed most often: the first of all if none has.
func (h *host) worst(from int) int {
	worst, failed := 0, 0
	for i := max(0, from); i < h.queue.len; i++ {
		if n := len(h.queue.at(i).attempts); n > failed {
			worst, failed = i, n
		}
	}
	return worst
}

// never is an instant for hosts that wait for a running request, not for the time.
const never = clock.Unread

// A ticket is the right to send one request to a host.
type ticket struct {
	generation uint64 // of the host's breaker
	counted    bool   // the breaker waits for the verdict
	volley     uint64 // of the host's pace
}

// admit decides whether a request may go to h now. If not, it says when to ask again, or never if only the end of a
// running request can change the answer.
func (f *run) admit(h *host, now clock.Instant) (t ticket, ok bool, again clock.Instant) {
	if h.running >= f.cfg.PerHost {
		return t, false, never
	}
	if until := max(h.held.until(), h.starts.next(f.gap(h, now))); now < until {
		return t, false, until
	}
	t.volley = h.pace.volley
	if h.down && now.Sub(h.downSince) >= f.cfg.Patience {
		// The URLs have waited for their host as long as they may: each now takes its own chances.
		return t, true, never
	}
	state, a := f.breaker.Admit(h.breaker, int64(now))
	h.breaker = state
	if !a.Admitted {
		return t, false, clock.Instant(state.Again(state.Word))
	}
	t.generation, t.counted = a.Token, true
	return t, true, never
}

// gap is the least time between two requests to h.
func (f *run) gap(h *host, now clock.Instant) time.Duration {
	if h.pace.obstinate(now, f.cfg.Patience) {
		return f.hostEvery
	}
	return max(f.hostEvery, h.pace.gap)
}

// hear tells h's breaker how a request ended.
func (f *run) hear(h *host, t ticket, v mettle.Verdict, now clock.Instant) {
	if !t.counted {
		if v == mettle.Success && h.down {
			h.breaker, h.down = f.breaker.Start(int64(now)), false
		}
		return
	}
	state, change := f.breaker.Settle(h.breaker, t.generation, v, int64(now), rand.Uint64())
	h.breaker = state
	switch {
	case !change.Changed():
	case change.To == breaker.Closed:
		h.down = false
	case !h.down:
		h.down, h.downSince, h.odd = true, now, false
	}
}

// A hold is until when a server wants to be left alone. It never gets shorter. It is atomic because a request that is about to be sent
// looks at it, and one whose answer begins extends it, without waiting for the run's loop: a busy machine may take long to come to that.
type hold struct{ at atomic.Int64 }

func (h *hold) until() clock.Instant { return clock.Instant(h.at.Load()) }

func (h *hold) extend(until clock.Instant) {
	for at := h.at.Load(); at < int64(until) && !h.at.CompareAndSwap(at, int64(until)); at = h.at.Load() {
	}
}

// hold leaves h alone for d from the instant at, and up to a tenth longer, so that not all clients of the host come back at
// once.
func (f *run) hold(h *host, at clock.Instant, d time.Duration) {
	d += time.Duration(rand.Uint64() % uint64(min(d/10, time.Second)+1))
	h.held.extend(at.Add(d))
}
