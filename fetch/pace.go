package fetch

import (
	"math/bits"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

const (
	// firstGap is the first gap of a host that has asked for one.
	firstGap = 50 * time.Millisecond
	// A gap below leastGap is none: timers are no more exact than that.
	leastGap = time.Millisecond
	// enough is how many answers it takes to judge a gap.
	enough = 8
	// longRow is how many answers 429 in a row are no accident, where the host usually gives none.
	longRow = 5
	// mostUsual is the largest share of answers 429 of which a host that does not care for the speed is believed.
	mostUsual = 0.75
	// usualTime is for how long it is believed.
	usualTime = time.Minute
	// quietTime is for how long a gap must have been large enough before a smaller one is tried.
	quietTime = time.Second
	// quietGaps is after how many gaps without a change a gap may be forgotten.
	quietGaps = 10
)

// A pace is how fast a host wants to be asked, learned from its answers 429. The zero pace has learned nothing.
//
// When more than a quarter of the answers are 429, or five in a row, the gap between two requests is doubled. When they have been few for a
// second, it is made smaller: halved down to the last one that was too small, then by a quarter each time. Every doubling is an experiment: if as
// many are refused at half the speed as before, it is not for the speed, but for what they ask for. Then the gap is taken back, and that share is
// the usual one of this host for a minute. Otherwise a host that has its own reasons to refuse one URL in five would be slowed down for ever.
//
// Only good answers make the gap smaller: an error page, however fast, says nothing of what a host can bear.
type pace struct {
	gap   time.Duration // the least time between two starts; 0: none
	small time.Duration // the last gap that was too small

	// The answers since the gap was last changed, or judged to be right.
	level    clock.Instant // when that was
	answers  int
	refusals int

	before     float64       // the share of 429 before the gap was doubled; 0: nothing to compare with
	base       time.Duration // the gap then
	usual      float64       // the share of 429 at any speed
	usualUntil clock.Instant // has a meaning while usual is not 0

	row    int           // 429 in a row
	rest   time.Duration // the last one in that row
	recent uint8         // the last eight answers, the latest in the lowest bit: 1 is a 429
	// volley counts the times that the host was spared. Requests that were begun before the last of them have nothing new to say.
	volley uint64
	oks    uint64 // good answers so far

	only  bool // it has said nothing but 429
	since clock.Instant
}

// limited notes an answer 429 to a request that was begun in the given volley. It returns for how long to leave the host alone, because to ask
// less often does not help when nothing else comes: park at first, then twice as long each time in the row, up to most. The gap grows
// up to park.
func (p *pace) limited(volley uint64, park, most time.Duration, now clock.Instant) (rest time.Duration) {
	if volley != p.volley {
		return 0
	}
	p.row++
	p.refusals++
	p.answers++
	p.recall(now)
	long := int(longRow / (1 - p.usual))
	if p.row < long {
		p.judge(false, park, now)
		return 0
	}
	if p.row == long {
		p.double(park, now)
	} else {
		p.volley++
	}
	p.rest = min(max(park, 2*p.rest), most)
	return p.rest
}

// answered notes an answer other than 429.
func (p *pace) answered(ok bool, volley uint64, park time.Duration, now clock.Instant) {
	p.only = false
	p.recent <<= 1
	if ok {
		p.oks++
	}
	if volley != p.volley {
		return
	}
	p.row, p.rest = 0, 0
	p.answers++
	p.recall(now)
	p.judge(ok, park, now)
}

// recall forgets what was usual long ago.
func (p *pace) recall(now clock.Instant) {
	if p.usual > 0 && now >= p.usualUntil {
		p.usual = 0
	}
}

// judge changes the gap if the answers tell that it is wrong. The last of them was a good one, or not.
func (p *pace) judge(ok bool, park time.Duration, now clock.Instant) {
	if p.answers < enough {
		return
	}
	share := float64(p.refusals) / float64(p.answers)
	switch {
	case share <= p.usual+(1-p.usual)/4:
		if ok && now.Sub(p.level) >= quietTime {
			p.relax(share, now)
		}
	case p.gap > p.base && share <= mostUsual && share > p.before*3/4 && share < p.before*4/3:
		if ok {
			p.usual, p.usualUntil = share, now.Add(usualTime)
			p.set(p.base, now)
			p.before, p.small = 0, 0
		}
	default:
		p.double(park, now)
	}
}

// relax makes the gap smaller.
func (p *pace) relax(share float64, now clock.Instant) {
	gap := p.gap / 4 * 3
	if p.gap/2 > p.small && share <= p.usual {
		gap = p.gap / 2
	}
	p.before = 0
	p.set(gap, now)
}

// double makes the gap larger, and notes what that has to improve.
func (p *pace) double(most time.Duration, now clock.Instant) {
	share := float64(p.refusals) / float64(p.answers)
	if p.answers >= enough && share >= p.before*4/3 { // more than before is no sign that the gap did not help: the limit has changed
		p.before, p.base = share, p.gap
	}
	p.small = p.gap
	p.volley++
	p.set(min(max(firstGap, 2*p.gap), most), now)
}

func (p *pace) set(gap time.Duration, now clock.Instant) {
	if gap < leastGap {
		gap = 0
	}
	p.gap, p.level, p.answers, p.refusals = gap, now, 0, 0
}

// insists notes that the host said 429 once more.
func (p *pace) insists(now clock.Instant) {
	p.recent = p.recent<<1 | 1
	if !p.only {
		p.only, p.since = true, now
	}
}

// obstinate reports whether the host has said nothing but 429 for so long that waiting for anything else is in vain.
func (p *pace) obstinate(now clock.Instant, patience time.Duration) bool {
	return p.only && now.Sub(p.since) >= patience
}

// refusing reports whether most of the last answers were 429.
func (p *pace) refusing() bool { return bits.OnesCount8(p.recent) > 4 }

// quiet reports whether the gap has been the same for so long that it may be forgotten.
func (p *pace) quiet(now clock.Instant) bool {
	return p.gap == 0 || now.Sub(p.level) >= max(quietGaps*p.gap, quietTime)
}
