package breaker

import (
	"math"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

const base = 100 * time.Millisecond

func machine() *Machine {
	return &Machine{Trip: Consecutive(2), Cooldown: base, MaxCooldown: 8 * base, Probes: 1, Successes: 2}
}

// starts are the instants at which every test begins: zero and the sign must not mean anything.
var starts = []int64{0, 1, -1, -1 << 59, math.MinInt64 + 1, 1 << 59}

// driver is one breaker, driven by hand.
type driver struct {
	t   *testing.T
	m   *Machine
	s   State
	now int64
}

func (d *driver) admit() uint64 {
	d.t.Helper()
	var a Admission
	if d.s, a = d.m.Admit(d.s, d.now); !a.Admitted {
		d.t.Fatalf("rejected in %v", d.s.Phase)
	}
	return a.Token
}

func (d *driver) rejected() {
	d.t.Helper()
	var a Admission
	before := d.s
	if d.s, a = d.m.Admit(d.s, d.now); a.Admitted {
		d.t.Fatalf("admitted, now in %v", d.s.Phase)
	}
	if d.s != before {
		d.t.Fatalf("a rejection changed %+v to %+v", before, d.s)
	}
}

func (d *driver) settle(token uint64, v mettle.Verdict, want Phase) {
	d.t.Helper()
	if d.s, _ = d.m.Settle(d.s, token, v, d.now, math.MaxUint64); d.s.Phase != want {
		d.t.Fatalf("after %v: %v, want %v", v, d.s.Phase, want)
	}
}

func (d *driver) trip() {
	d.t.Helper()
	d.settle(d.admit(), mettle.Failure, Closed)
	d.settle(d.admit(), mettle.Failure, Open)
}

func (d *driver) pass(by time.Duration) { d.now += int64(by) }

func each(t *testing.T, run func(t *testing.T, d *driver)) {
	for _, now := range starts {
		m := machine()
		run(t, &driver{t: t, m: m, s: m.Start(now), now: now})
	}
}

func TestLifeOfABreaker(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		d.trip()
		d.rejected()
		if left := d.s.Left(d.now); left != base {
			t.Fatalf("left is %v, want %v", left, base)
		}
		d.pass(base - 1)
		d.rejected()
		d.pass(1)
		probe := d.admit()
		if d.s.Phase != HalfOpen {
			t.Fatalf("the cooldown is over and the phase %v", d.s.Phase)
		}
		d.rejected()
		d.settle(probe, mettle.Success, HalfOpen)
		d.settle(d.admit(), mettle.Success, Closed)
		d.trip()
		if left := d.s.Left(d.now); left != base {
			t.Fatalf("after a recovery the cooldown is %v, want %v", left, base)
		}
	})
}

func TestCooldownGrowsToItsMaximumAndJitters(t *testing.T) {
	for _, draw := range []uint64{0, 1 << 62, 1 << 63, math.MaxUint64} {
		m := machine()
		d := &driver{t: t, m: m, s: m.Start(-1 << 59), now: -1 << 59}
		d.trip()
		for _, level := range []time.Duration{2 * base, 4 * base, 8 * base, 8 * base, 8 * base} {
			d.now = d.s.Until
			probe := d.admit()
			d.s, _ = m.Settle(d.s, probe, mettle.Failure, d.now, draw)
			got := d.s.Left(d.now)
			if got < level-level/10 || got > min(level+level/10, 8*base) {
				t.Errorf("draw %x: cooldown is %v, want %v within a tenth and at most %v", draw, got, level, 8*base)
			}
			if draw == 0 && got == level {
				t.Errorf("the lowest draw leaves the cooldown at %v", level)
			}
		}
	}
}

func TestCooldownThatMayNotGrowIsExact(t *testing.T) {
	m := machine()
	m.MaxCooldown = m.Cooldown
	for _, draw := range []uint64{0, math.MaxUint64} {
		d := &driver{t: t, m: m, s: m.Start(0)}
		d.trip()
		d.now = d.s.Until
		d.s, _ = m.Settle(d.s, d.admit(), mettle.Failure, d.now, draw)
		if got := d.s.Left(d.now); got != base {
			t.Errorf("draw %x: cooldown is %v, want %v", draw, got, base)
		}
	}
}

func TestResultsOfEarlierPeriodsAreDropped(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		early := []uint64{d.admit(), d.admit(), d.admit()}
		d.trip()
		d.settle(early[0], mettle.Success, Open)
		d.now = d.s.Until
		probe := d.admit()
		before := d.s
		d.settle(early[1], mettle.Failure, HalfOpen)
		d.settle(early[2], mettle.Success, HalfOpen)
		if d.s != before {
			t.Fatalf("results of the closed period changed %+v to %+v", before, d.s)
		}
		d.settle(probe, mettle.Failure, Open)
		d.settle(probe, mettle.Success, Open)
	})
}

func TestIgnoredProbesGiveTheirPlaceBack(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		d.trip()
		d.now = d.s.Until
		for range 100 {
			d.settle(d.admit(), mettle.Ignore, HalfOpen)
		}
		d.settle(d.admit(), mettle.Success, HalfOpen)
		d.settle(d.admit(), mettle.Success, Closed)
	})
}

func TestHungProbesFreeTheirPlace(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		d.m.Probes = 2
		d.trip()
		d.now = d.s.Until
		d.settle(d.admit(), mettle.Success, HalfOpen)
		hung := []uint64{d.admit(), d.admit()}
		d.rejected()
		d.pass(base - 1)
		d.rejected()
		d.pass(1)
		probe := d.admit()
		if d.s.Phase != HalfOpen || probe == hung[0] {
			t.Fatalf("in %v with token %d after %d", d.s.Phase, probe, hung[0])
		}
		d.settle(hung[0], mettle.Success, HalfOpen)
		d.settle(hung[1], mettle.Failure, HalfOpen)
		d.settle(probe, mettle.Success, Closed)
	})
}

// The time of a probe counts from its own admission, not from the first one's: after a quiet time in half-open, or when others are overdue, a new
// probe is not at once taken for one that never returns.
func TestProbesAreOverdueByTheirOwnTime(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		if d.now > 1<<60 {
			return
		}
		d.m.Successes = 10
		d.trip()
		d.now = d.s.Until
		d.settle(d.admit(), mettle.Success, HalfOpen)
		d.pass(time.Hour)
		probe := d.admit()
		d.rejected()
		d.pass(base - 1)
		d.rejected()
		generation := d.s.Generation
		d.settle(probe, mettle.Success, HalfOpen)
		if r := roundOf(d.s.Word); r.succeeded != 2 || d.s.Generation != generation {
			t.Fatalf("after two successes: %+v in period %d, want it still in %d", r, d.s.Generation, generation)
		}
	})
	each(t, func(t *testing.T, d *driver) {
		d.m.Probes, d.m.Successes = 2, 10
		d.trip()
		d.now = d.s.Until
		d.admit() // hangs
		d.pass(base / 2)
		second := d.admit()
		d.pass(base - 1)
		d.rejected() // the first is overdue, the second is not
		d.settle(second, mettle.Success, HalfOpen)
		if r := roundOf(d.s.Word); r.succeeded != 1 {
			t.Fatalf("the second probe's success was dropped: %+v", r)
		}
	})
}

// A dependency that needs longer than the cooldown, but answers, must close the breaker in the end.
func TestSlowProbesDoNotWedge(t *testing.T) {
	m := machine()
	d := &driver{t: t, m: m, s: m.Start(0)}
	d.trip()
	const takes = 5 * base
	d.now = d.s.Until
	running := map[uint64]int64{}
	for step := 0; d.s.Phase != Closed; step++ {
		if step == 1000 {
			t.Fatalf("still %v after %v", d.s.Phase, time.Duration(d.now))
		}
		for token, done := range running {
			if done <= d.now {
				delete(running, token)
				d.s, _ = m.Settle(d.s, token, mettle.Success, d.now, 0)
			}
		}
		var a Admission
		if d.s, a = m.Admit(d.s, d.now); a.Admitted {
			running[a.Token] = d.now + int64(takes)
		}
		d.pass(base / 10)
	}
}

func TestHalfOpenCountsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		d.m.Probes, d.m.Successes = 3, 5
		d.trip()
		d.now = d.s.Until
		tokens := []uint64{d.admit(), d.admit(), d.admit()}
		d.rejected()
		for _, token := range tokens {
			d.settle(token, mettle.Success, HalfOpen)
		}
		d.settle(d.admit(), mettle.Success, HalfOpen)
		d.settle(d.admit(), mettle.Success, Closed)
	})
}

func TestTimeThatGoesBack(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		if d.now < -1<<60 {
			d.now += 1 << 60
			d.s = d.m.Start(d.now)
		}
		d.trip()
		tripped := d.now
		d.pass(-time.Hour)
		d.rejected()
		if left := d.s.Left(d.now); left != base {
			t.Fatalf("an hour back %v are left, want no more than %v", left, base)
		}
		d.now = tripped + int64(base)
		probe := d.admit()
		d.pass(-time.Hour)
		d.rejected()
		d.settle(probe, mettle.Failure, Open)
		if left := d.s.Left(d.now); left < 0 || left > 3*base {
			t.Fatalf("%v are left", left)
		}
	})
}

func TestSemantics10ArithmeticSaturates(t *testing.T) {
	m := &Machine{Trip: Consecutive(1), Cooldown: math.MaxInt64, MaxCooldown: math.MaxInt64, Probes: MaxCount, Successes: MaxCount}
	d := &driver{t: t, m: m, s: m.Start(math.MaxInt64 - 1), now: math.MaxInt64 - 1}
	d.settle(d.admit(), mettle.Failure, Open)
	d.rejected()
	d.now = math.MaxInt64
	probe := d.admit()
	d.settle(probe, mettle.Failure, Open)
	if d.s.Until != math.MaxInt64 {
		t.Errorf("until is %d", d.s.Until)
	}
	full := round{running: MaxCount, succeeded: MaxCount, last: maxLast}
	if got := roundOf(full.word()); got != full || full.word()&Sealed != 0 {
		t.Errorf("the word holds %+v, want %+v", got, full)
	}
}

func TestASecondReleaseKeepsTheCountWhole(t *testing.T) {
	m := machine()
	d := &driver{t: t, m: m, s: m.Start(0)}
	d.trip()
	d.now = d.s.Until
	probe := d.admit()
	d.settle(probe, mettle.Ignore, HalfOpen)
	d.settle(probe, mettle.Ignore, HalfOpen)
	d.admit()
	d.rejected()
}

func TestAForcedOneNeverAdmitsByItself(t *testing.T) {
	each(t, func(t *testing.T, d *driver) {
		d.s, _ = d.m.Set(d.s, ForcedOpen, d.now)
		if at := d.s.Again(d.s.Word); at != math.MaxInt64 {
			t.Errorf("it says that it admits again at %d", at)
		}
		for _, d.now = range []int64{d.now, math.MaxInt64, math.MinInt64 + 1} {
			d.rejected()
		}
		d.s, _ = d.m.Set(d.s, Closed, d.now)
		d.admit()
	})
}
