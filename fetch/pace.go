package fetch

import (
	"math/bits"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

const (
	firstGap = 50 * time.Millisecond
	// A gap below leastGap is none: no server tells requests so close together from a volley.
	leastGap = 25 * time.Millisecond
	// quietGaps and quietTime say for how long a host must not have asked to slow down before it is asked faster.
	quietGaps = 10
	quietTime = time.Second
)

// A pace is how fast a host wants to be asked, learned from its answers 429. These make it slower, where they come together: a host that
// is asked too fast says so to whoever comes, and one such answer among many others is a matter of its URL. Only good answers, and only after a
// time of quiet, make it faster: an error page, however fast, says nothing of what a host can bear. The zero pace has learned nothing.
type pace struct {
	gap    time.Duration // the least time between two starts; 0: none
	calm   clock.Instant // when the gap was last changed; has a meaning while there is a gap
	recent uint8         // the last eight answers, the latest in the lowest bit: 1 is a 429
	// volley numbers the times between strikes: requests that were begun in an earlier one have nothing new to say.
	volley uint64
	oks    uint64 // good answers so far

	only  bool // it has said nothing but 429
	since clock.Instant
}

// limited notes an answer 429.
func (p *pace) limited(now clock.Instant) {
	p.recent = p.recent<<1 | 1
	if !p.only {
		p.only, p.since = true, now
	}
}

// strike makes the pace slower because of an answer 429 to a request that was begun in the given volley, if that was news and not the
// only one of late: it takes two in a row or three of eight. It reports whether it did.
func (p *pace) strike(volley uint64, most time.Duration, now clock.Instant) bool {
	if volley != p.volley || p.recent&3 != 3 && bits.OnesCount8(p.recent) < 3 {
		return false
	}
	p.volley++
	p.calm = now
	p.gap = min(max(firstGap, 2*p.gap), most)
	return true
}

// answered notes an answer that is not 429.
func (p *pace) answered(ok bool, now clock.Instant) {
	p.only = false
	p.recent <<= 1
	if !ok {
		return
	}
	p.oks++
	if p.gap > 0 && p.quiet(now) {
		p.gap, p.calm = p.gap/4*3, now
		if p.gap < leastGap {
			p.gap = 0
		}
	}
}

// quiet reports whether it is time to ask faster.
func (p *pace) quiet(now clock.Instant) bool {
	return now.Sub(p.calm) >= max(quietGaps*p.gap, quietTime)
}

// obstinate reports whether the host has said nothing but 429 for so long that waiting for anything else is in vain.
func (p *pace) obstinate(now clock.Instant, patience time.Duration) bool {
	return p.only && now.Sub(p.since) >= patience
}
