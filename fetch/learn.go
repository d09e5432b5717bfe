package fetch

import (
	"errors"
	"net"
	"net/http"
	"syscall"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/timeout"
)

// learn draws the conclusions from a request that go beyond its own item: on the pace of the host, and on our own network. It reports whether the
// failure, if it was one, uses up no attempt.
func (f *run) learn(l *leg) (spared bool) {
	h := l.host
	down := f.network.down
	switch {
	case l.reached():
		f.network.answered()
		if l.status == http.StatusTooManyRequests {
			spared = f.limited(l)
		} else if l.status != 0 {
			h.pace.answered(l.err == nil && l.status/100 == 2, l.ticket.volley, f.cfg.Park, l.ended)
		}
	case l.cutOff():
		l.streak, l.doubtful = f.network.failed(h.name, l.ended)
		l.doubtful = l.doubtful && !scarce(l.err) // which is no matter of doubt
	}
	if down != f.network.down {
		f.meter.offline.Store(f.network.down)
	}
	if scarce(l.err) {
		a := l.account()
		if !a.exhausted {
			a.exhausted, a.since = true, l.ended
		}
		return l.ended.Sub(a.since) < f.cfg.Patience
	}
	return spared || l.trial && f.verdict(l) == mettle.Failure // it was only to find out whether the host is still down
}

// account is what speaks for and against the URL that l asked: a hedge may have gone to a mirror.
func (l *leg) account() *account {
	t := l.task
	if t.route == nil || t.route.at == l.place {
		return &t.account
	}
	return &t.route.places[l.place].account
}

// limited draws the conclusions from an answer 429, and reports whether it uses up no attempt: where there were other requests of ours, the
// item may have got it because of them.
func (f *run) limited(l *leg) (spared bool) {
	a, h := l.account(), l.host
	obstinate := h.pace.obstinate(l.ended, f.cfg.Patience)
	h.pace.insists(l.ended)
	if l.hint > f.cfg.MaxHint {
		return false
	}
	// Where most get through time and again, it is not the host that this one has too much of. Where few do, it may take many turns.
	refusing, turns := h.pace.refusing(), 3
	private := !refusing && a.limited >= 2 && h.pace.oks != a.oks
	if refusing {
		turns = 20
	}
	a.limited++
	a.oks = h.pace.oks
	if obstinate {
		return false
	}
	if !private {
		if rest := h.pace.limited(l.ticket.volley, f.cfg.Park, f.cfg.MaxPark, l.ended); rest > 0 && l.hint == 0 {
			f.hold(h, l.ended, rest)
		}
	}
	// Whatever else the host was asked since this item's last 429 may have been what was too much.
	company := l.begun-1 > a.asked || h.begun != l.begun
	a.asked = h.begun
	return company && a.limited <= turns*f.cfg.Attempts
}

// verdict is what the request means for its host as a whole.
func (f *run) verdict(l *leg) mettle.Verdict {
	if scarce(l.err) || f.network.down && l.cutOff() {
		return mettle.Ignore // it is not the host's fault
	}
	return l.verdict()
}

// reached reports whether anything beyond our own network answered.
func (l *leg) reached() bool {
	return l.err == nil || l.status != 0 || !l.cutOff() && (errors.Is(l.err, syscall.ECONNREFUSED) || errors.Is(l.err, syscall.ECONNRESET) || secure(l.err))
}

// cutOff reports whether no server was reached in a way that may be our own network's fault.
func (l *leg) cutOff() bool {
	if l.err == nil || l.status != 0 {
		return false
	}
	if dns, ok := errors.AsType[*net.DNSError](l.err); ok {
		return !dns.IsNotFound // a name that does not exist is an answer
	}
	if op, ok := errors.AsType[*net.OpError](l.err); ok && (op.Op == "proxyconnect" || op.Op == "dial" && op.Timeout()) {
		return true
	}
	if _, ok := errors.AsType[*timeout.Error](l.err); ok && l.unseen {
		return true // while the connection was made
	}
	for _, errno := range []syscall.Errno{syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL} {
		if errors.Is(l.err, errno) {
			return true
		}
	}
	return scarce(l.err)
}

// doubt notes a failure that may prove the network's.
func (t *task) doubt(o *outage, streak uint64) {
	if t.streak != streak {
		t.used(o)
		t.doubts, t.streak = 0, streak
	}
	t.doubts++
}

// used is how many of t's attempts count.
func (t *task) used(o *outage) int {
	if t.doubts > 0 && o.excuses(t.streak) {
		t.free += t.doubts
		t.doubts = 0
	}
	return t.tries - t.free
}
