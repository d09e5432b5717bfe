package fetch

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/internal/budget"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/timeout"
)

// errOvertaken ends a request whose answer nobody waits for any more.
var errOvertaken = errors.New("the other request of the attempt was faster")

// newHedges returns what bounds the hedges of a run: one for twenty requests, and one a second beside, so that short lists have some too.
func newHedges() *budget.Budget { return budget.New(budget.Config{Ratio: 0.05, Floor: 1}) }

// A race is an attempt that may be hedged: its first request, and the second one, if it comes to that. The first to bring a good header wins. A request
// that fails leaves the attempt to the other, as long as there is one.
type race struct {
	// These are the loop's.
	running int
	alarm   int  // its place in run.alarms, from 1; 0: none
	hedged  bool // there was a second request
	began   clock.Instant
	started time.Time
	failed  *leg // of two, the one that ended first, and not well
	spared  bool // as run.learn says of it

	sent   atomic.Bool // the first request was sent
	rest   atomic.Bool // it was for the rest of a body, which is not hedged
	headed atomic.Bool // a request has brought a header, of whatever kind

	mu      sync.Mutex
	winner  *leg
	cancels []context.CancelCauseFunc
}

// enter makes cancel the way to end a request of the race. It returns false if the race is over.
func (r *race) enter(cancel context.CancelCauseFunc) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancels = append(r.cancels, cancel)
	return r.winner == nil
}

// win reports whether l, which has brought a good header, is the first. If it is, the other request is canceled.
func (r *race) win(l *leg) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.winner != nil {
		return r.winner == l
	}
	r.winner = l
	for i, cancel := range r.cancels {
		if (i == 1) != l.extra { // the first to enter is the first request
			cancel(errOvertaken)
		}
	}
	return true
}

// lost reports whether the other request of l's attempt has won.
func (l *leg) lost() bool {
	winner := l.race.best()
	return winner != nil && winner != l
}

// contested reports whether the other request of l's attempt may still bring the answer.
func (l *leg) contested() bool { return l.race != nil && l.race.running > 0 && l.race.best() != l }

// belated reports whether l is a second request that could not bring a header in what the first had left of the time. That proves nothing: it is
// the first that was slow.
func (l *leg) belated() bool {
	if l.race == nil || !l.extra || l.race.best() == l {
		return false
	}
	_, late := errors.AsType[*timeout.Error](l.err)
	return late
}

func (r *race) best() *leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.winner
}

// hedgeable reports whether a second request may be sent for t if the first one is slow.
func (f *run) hedgeable(t *task) bool {
	method := t.item.Method
	return f.cfg.Hedge > 0 && (method == "" || method == http.MethodGet || method == http.MethodHead)
}

// hedge sends second requests for the attempts that have taken Config.Hedge by now without a header, where there is room for one more. They go before new
// attempts, or there would never be room in a long list.
func (f *run) hedge(ctx context.Context, g *group.Group, now clock.Instant) {
	if len(f.slow) == 0 || f.network.down {
		return
	}
	f.slow = slices.DeleteFunc(f.slow, func(l *leg) bool {
		r := l.race
		switch {
		case r.running == 0 || r.headed.Load() || r.rest.Load() || now.Sub(r.began) >= f.cfg.Timeout:
			return true
		case !r.sent.Load(): // the worker has not come to it
			f.alarms.set(alarm{at: now.Add(f.cfg.Hedge), leg: l})
			return true
		}
		if f.room() && f.opens(now) <= now {
			r.hedged = f.second(ctx, g, l, now)
		}
		return r.hedged
	})
}

// second sends the second request for the attempt of l, and returns false if that is not possible now.
func (f *run) second(ctx context.Context, g *group.Group, l *leg, now clock.Instant) bool {
	t := l.task
	// The hops are the task's: l may be redirected at this very moment.
	second := &leg{task: t, race: l.race, extra: true, host: l.host, place: l.place, hops: t.hops}
	if t.route != nil && t.hops == 0 {
		if i, ok := t.route.beside(now, f.healthAt(now)); ok {
			second.place, second.host = i, f.hostAt(t.route.places[i].host)
		}
	}
	token, ok := f.hedges.WithdrawAt(1, now)
	if !ok {
		return false
	}
	if second.ticket, ok, _ = f.admit(second.host, now); !ok {
		f.hedges.Return(token)
		return false
	}
	if second.req = t.repeat(second, f.cfg.Header); second.req == nil {
		f.hear(second.host, second.ticket, mettle.Ignore, now)
		f.hedges.Return(token)
		return false
	}
	if t.route != nil {
		if p := &t.route.places[l.place]; !p.tried { // also if it is with the other one that the attempt ends
			p.tried, p.again = true, now
		}
	}
	f.dispatch(ctx, g, second, now)
	return true
}

// beside picks the place for a second request while the one to r.at is running: the first in turn at another host that is well and may be asked.
func (r *route) beside(now clock.Instant, well health) (i int, ok bool) {
	for k := range len(r.places) - 1 {
		j := (r.at + 1 + k) % len(r.places)
		p := &r.places[j]
		if p.out || p.host == r.places[r.at].host || p.tried && p.again > now {
			continue
		}
		if fine, _ := well(p.host); fine {
			return j, true
		}
	}
	return 0, false
}

// repeat makes the request of a second leg. It returns nil if there is none to be had.
func (t *task) repeat(second *leg, common http.Header) *http.Request {
	if second.hops == 0 {
		to := t.item.URL
		if t.route != nil {
			to = t.item.place(second.place)
		}
		req, _ := t.item.request(to, common)
		return req
	}
	if t.next.Body != nil {
		return nil
	}
	return t.next.Clone(context.Background())
}

// drop ends a request that has lost its race, or might as well have.
func (f *run) drop(l *leg) {
	f.hear(l.host, l.ticket, mettle.Ignore, l.ended)
	if !l.unsent {
		f.meter.attempts.Add(int64(1 + l.replays))
	}
}
