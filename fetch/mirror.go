package fetch

import (
	"slices"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// A route is where a task with Item.Mirrors stands with each of its URLs. Tasks of items without mirrors, which most are, have none.
type route struct {
	places []place // of Item.URL, then of Item.Mirrors
	at     int     // the one that the task waits for, or asks
	last   int     // the one asked last; -1: none yet
	kept   int     // the one that the part came from; -1: none. The rest of a body can only be asked for there
	source string  // the part's resource when that was found out
	stay   bool    // the last attempt brought the body forward, and may go on
}

// A place is one URL.
type place struct {
	host    string
	tried   bool
	out     bool          // it is of no use to the item any more
	again   clock.Instant // if tried: not before that
	passes  bool          // the last failure there: a later run may succeed
	account               // while the task is at another place
}

func newRoute(it Item) *route {
	r := &route{places: make([]place, 1+len(it.Mirrors)), last: -1, kept: -1}
	for i := range r.places {
		r.places[i].host = hostIn(it.place(i))
	}
	return r
}

// place returns the URL of that index: 0 is the item's own.
func (it Item) place(i int) string {
	if i == 0 {
		return it.URL
	}
	return it.Mirrors[i-1]
}

// A health tells how it is with a host: whether it can be asked now, and if not, when that may be.
type health func(host string) (well bool, free clock.Instant)

// next picks the place to go to. That is, in turn after the one asked last, the first at a healthy host that has not been asked yet; then the one
// that the part came from; then the first that is healthy; and if no host is, the one that may be asked soonest. It returns false if all
// are out.
func (r *route) next(now clock.Instant, well health) (i int, ok bool) {
	if r.stay && !r.places[r.last].out {
		if fine, _ := well(r.places[r.last].host); fine {
			return r.last, true
		}
	}
	const (
		untried = iota
		keeping
		waiting
		ailing
		nowhere
	)
	i, rank, at := -1, nowhere, clock.Instant(0)
	for k := range r.places {
		j := (r.last + 1 + k) % len(r.places)
		p := &r.places[j]
		if p.out {
			continue
		}
		rankJ, atJ := waiting, now
		fine, free := well(p.host)
		switch {
		case !fine:
			rankJ, atJ = ailing, free
			if p.tried {
				atJ = max(free, p.again)
			}
		case !p.tried:
			rankJ = untried
		case j == r.kept:
			rankJ = keeping
		}
		if rankJ < rank || rankJ == rank && atJ < at {
			i, rank, at = j, rankJ, atJ
		}
	}
	return i, i >= 0
}

// passes reports whether the last failure at any place says that a later run may succeed.
func (r *route) passes() bool {
	return slices.ContainsFunc(r.places, func(p place) bool { return p.passes })
}

// url is where the task's next request goes, redirects aside.
func (t *task) url() string {
	if t.route == nil {
		return t.item.URL
	}
	return t.item.place(t.route.at)
}

// mirror is url where that is not the item's own.
func (t *task) mirror() string {
	if t.route == nil || t.route.at == 0 {
		return ""
	}
	return t.url()
}

// turn makes t go to place i next.
func (t *task) turn(i int) {
	r := t.route
	if i == r.at {
		return
	}
	r.places[r.at].account, t.account = t.account, r.places[i].account
	r.at, t.next = i, nil
}

// settle assigns t, which has no host, to that of the place to go to now, and lets it wait there. The task has a place that is not out.
func (f *run) settle(t *task, now clock.Instant) {
	i, _ := t.route.next(now, f.healthAt(now))
	t.turn(i)
	p := &t.route.places[i]
	f.assign(t, p.host)
	if p.tried && p.again > now {
		f.alarms.set(alarm{at: p.again, task: t})
		return
	}
	f.enqueue(t)
}

// onward sends t to its next place after the failure of l, and returns false if there is none left. The place just asked may be asked
// again after wait, or is out.
func (f *run) onward(l *leg, failure *Error, again bool, wait time.Duration) bool {
	t := l.task
	r := t.route
	p := &r.places[r.at]
	p.tried, p.again, p.out, p.passes = true, l.ended.Add(wait), !again, failure.Retryable
	r.last, r.stay = r.at, l.progress
	if part := t.part; part == nil || !part.resumable() {
		r.kept, r.source = -1, ""
	} else if part.resource != r.source {
		r.kept, r.source = r.at, part.resource
	}
	if !l.repeatable() {
		return false
	}
	if _, ok := r.next(l.ended, f.healthAt(l.ended)); !ok {
		return false
	}
	f.leave(t)
	t.next, t.hops, t.wait = nil, 0, wait
	f.meter.waiting.Add(1)
	f.settle(t, l.ended)
	return true
}

// requeue lets t wait for its host again, or for another that is better now.
func (f *run) requeue(t *task, now clock.Instant) {
	if t.route == nil || t.open { // what is left of an attempt that redirects have led here is to be had here only
		f.enqueue(t)
		return
	}
	f.leave(t)
	f.settle(t, now)
}

// evacuate sends the tasks that wait for h to other hosts, where that helps: h is not to be asked now, and a mirror's is.
func (f *run) evacuate(h *host, now clock.Instant) {
	if h.mirrored == 0 {
		return
	}
	if open, _ := f.askable(h, now); open {
		h.avoided = false
		return
	}
	if h.avoided && now.Sub(h.evacuated) < f.cfg.Park/2 { // it costs a look at all that wait
		return
	}
	h.avoided, h.evacuated = true, now
	well := f.healthAt(now)
	for range h.queue.len { // all, so that they keep their order
		t := h.pop()
		if t.route != nil && !t.open {
			i, _ := t.route.next(now, well)
			if fine, _ := well(t.route.places[i].host); fine && i != t.route.at {
				f.leave(t)
				f.settle(t, now)
				continue
			}
		}
		h.push(t)
	}
}

// sooner is when to look at h, which may not be asked until again, if tasks wait for it that could go elsewhere in the meantime.
func (f *run) sooner(h *host, again, now clock.Instant) clock.Instant {
	if h.mirrored == 0 || !h.avoided {
		return again
	}
	if soon := now.Add(f.cfg.Park); again == never || soon < again {
		return soon
	}
	return again
}

// healthAt tells the health of the run's hosts at that time. One of which that is not certain is well for the first task that
// comes, so that it is found out when it recovers; the others go where they are served.
func (f *run) healthAt(now clock.Instant) health {
	return func(name string) (bool, clock.Instant) {
		h := f.hosts[name]
		if h == nil {
			return true, now
		}
		open, free := f.askable(h, now)
		return open && !((h.down || h.pace.gap > 0) && h.queue.len > 0), free
	}
}

// askable reports whether h may be asked now by those who have a choice, or when that may be. One that is down beyond all patience, or wants to be
// asked slowly, is asked by them now and then.
func (f *run) askable(h *host, now clock.Instant) (ok bool, at clock.Instant) {
	if until := h.held.until(); now < until {
		return false, until
	}
	if !h.pace.quiet(now) {
		return false, max(now, h.starts.next(f.gap(h, now)))
	}
	if h.down && now.Sub(h.downSince) >= f.cfg.Patience {
		return now.Sub(h.starts.slot) >= f.cfg.MaxPark, now
	}
	_, a := f.breaker.Admit(h.breaker, int64(now))
	if a.Admitted {
		return true, now
	}
	return false, clock.Instant(h.breaker.Again(h.breaker.Word))
}
