package fetch

import (
	"slices"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// outageHosts is how many hosts must fail to be reached, one after the other and with no answer from anybody, for it to be our own network that is down.
const outageHosts = 5

// An outage is what is known of our own network. While it is down, one probe after the other is let through, with longer and longer
// waits between, until any server answers. After the patience with it everything is let through again.
type outage struct {
	park, most, patience time.Duration // the first wait between probes, the longest, and for how long in all

	hosts  []string // that could not be reached since the last answer
	streak uint64   // numbers the times between answers, from 0
	down   bool
	since  clock.Instant // when that was noticed

	noticed bool   // ever
	last    uint64 // the streak that was an outage

	wait    time.Duration
	probing bool
	next    clock.Instant // when the next probe may begin, if none is running
}

// answered notes that a server, any server, could be reached.
func (o *outage) answered() {
	if len(o.hosts) > 0 || o.down {
		o.hosts, o.down, o.probing = o.hosts[:0], false, false
		o.streak++
	}
}

// failed notes that a host could not be reached, by a failure that may be ours. It returns what excuses has to be asked with, and false if no
// outage can excuse it.
func (o *outage) failed(host string, now clock.Instant) (streak uint64, ok bool) {
	if !o.down && !slices.Contains(o.hosts, host) {
		if o.hosts = append(o.hosts, host); len(o.hosts) == outageHosts {
			o.down, o.since, o.wait, o.probing = true, now, o.park, false
			o.next = now.Add(o.wait)
			o.noticed, o.last = true, o.streak
		}
	}
	return o.streak, !o.lost(now)
}

// excuses reports whether a failure was the network's, also one that came before that was noticed. It remembers the last outage only.
func (o *outage) excuses(streak uint64) bool { return o.noticed && streak == o.last }

// lost reports whether the patience is over.
func (o *outage) lost(now clock.Instant) bool { return o.down && now.Sub(o.since) >= o.patience }

// admits reports whether a request may begin, and if not, when to ask again; never if that depends on the probe that is running.
func (o *outage) admits(now clock.Instant) (ok bool, again clock.Instant) {
	switch {
	case !o.down || o.lost(now):
		return true, never
	case o.probing:
		return false, o.since.Add(o.patience)
	case now < o.next:
		return false, min(o.next, o.since.Add(o.patience))
	}
	return true, never
}

// begin notes that an admitted request begins, and reports whether it is a probe.
func (o *outage) begin(now clock.Instant) bool {
	o.probing = o.down && !o.lost(now)
	return o.probing
}

// probed notes that the probe has ended, if it still is one.
func (o *outage) probed(now clock.Instant) {
	if !o.probing {
		return
	}
	o.probing = false
	o.wait = min(2*o.wait, o.most)
	o.next = now.Add(o.wait)
}
