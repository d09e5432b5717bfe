package ratelimit

import (
	"cmp"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// A call is one of a history: n calls that begin at an instant.
type call struct {
	begin, n int64
	slot     Slot
}

// An epoch is a time of one pace.
type epoch struct{ since, interval int64 }

// earned returns how many intervals there are from a to b.
func earned(epochs []epoch, a, b int64) *big.Rat {
	sum := new(big.Rat)
	for i, e := range epochs {
		from, to := max(a, e.since), b
		if i == 0 {
			from = a
		}
		if i+1 < len(epochs) {
			to = min(b, epochs[i+1].since)
		}
		if to > from {
			sum.Add(sum, big.NewRat(to-from, e.interval))
		}
	}
	return sum
}

// overrun looks at the window between each two calls and returns the first in which there are too many.
func overrun(burst int64, epochs []epoch, calls []call) error {
	slices.SortStableFunc(calls, func(a, b call) int { return cmp.Compare(a.begin, b.begin) })
	for i := range calls {
		var n int64
		for j := i; j < len(calls); j++ {
			n += calls[j].n
			if j+1 < len(calls) && calls[j+1].begin == calls[j].begin {
				continue
			}
			most := earned(epochs, calls[i].begin, calls[j].begin)
			most.Add(most, new(big.Rat).SetInt64(burst))
			if most.Cmp(new(big.Rat).SetInt64(n)) < 0 {
				return fmt.Errorf("%d calls from %d to %d, want at most %s", n, calls[i].begin, calls[j].begin, most.FloatString(3))
			}
		}
	}
	return nil
}

// history makes random calls and returns an error if too many began in some window. Either time goes back now and then, or the pace
// changes.
func history(seed uint64, with func(*Line) subject) error {
	rng := rand.New(rand.NewPCG(seed, 12))
	interval, burst := 1+rng.Int64N(20), 1+rng.Int64N(4)
	now := []int64{0, -1 << 59, -50}[rng.IntN(3)]
	backward := rng.IntN(2) == 0
	l := &Line{Pace: NewPace(interval, burst), TAT: Unset}
	sut := with(l)
	epochs := []epoch{{now, interval}}
	var calls []call
	for range 80 {
		switch op := rng.IntN(10); {
		case op < 6:
			n := 1 + rng.Int64N(burst)
			slot, wait, ok := sut.Take(now, n, []int64{0, 0, 100}[rng.IntN(3)])
			if ok {
				calls = append(calls, call{now + wait, n, slot})
			}
		case op < 8 && len(calls) > 0:
			i := len(calls) - 1 - rng.IntN(min(5, len(calls)))
			sut.Cancel(calls[i].slot, now)
			calls = slices.Delete(calls, i, i+1)
		case op == 8 && !backward && rng.IntN(4) == 0:
			from, to := l.Pace, NewPace(1+rng.Int64N(40), burst)
			sut.Rescale(to, now)
			epochs = append(epochs, epoch{now, to.Interval})
			for i := range calls {
				c := &calls[i]
				c.slot = Slot{Shift(c.slot.From, now, &from, &to), Shift(c.slot.To, now, &from, &to)}
				if c.begin > now {
					_, wait, _ := to.Wait(c.slot.From, now, c.n)
					c.begin = now + wait
				}
			}
		case backward && rng.IntN(2) == 0:
			now -= rng.Int64N(2 * interval)
		default:
			now += rng.Int64N(3 * interval)
		}
	}
	return overrun(burst, epochs, calls)
}

func TestNoWindowHasTooManyCalls(t *testing.T) {
	for seed := range uint64(4000 / thorough) {
		if err := history(seed, correct); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The interval is rounded up: then so many calls in each per are never exceeded.
func TestTheIntervalKeepsToTheRate(t *testing.T) {
	for _, c := range []struct{ rate, per, want int64 }{
		{1, 1, 1},
		{10, 1e9, 1e8},
		{3, 1e9, 333_333_334},
		{3000, 1e9, 333_334},
		{300_000, 1e9, 3334},
		{7_000_000, 1e9, 143},
		{700_000_000, 1e9, 2},
		{1e9, 1e9, 1},
		{1, 1<<63 - 1, 1<<63 - 1},
		{2, 1<<63 - 1, 1 << 62},
	} {
		if got := Interval(c.rate, c.per); got != c.want {
			t.Errorf("Interval(%d, %d) = %d, want %d", c.rate, c.per, got, c.want)
		}
	}
}

// A mutant is a Line with a bug planted: one that rate limiters of this world have had, or might.
type mutant struct {
	*Line
	take    func(l *Line, now, n, within int64) (Slot, int64, bool)
	cancel  func(l *Line, s Slot, now int64)
	rescale func(l *Line, to Pace, now int64)
}

func (m mutant) Take(now, n, within int64) (Slot, int64, bool) {
	if m.take != nil {
		return m.take(m.Line, now, n, within)
	}
	return m.Line.Take(now, n, within)
}

func (m mutant) Cancel(s Slot, now int64) {
	if m.cancel != nil {
		m.cancel(m.Line, s, now)
		return
	}
	m.Line.Cancel(s, now)
}

func (m mutant) Rescale(to Pace, now int64) {
	if m.rescale != nil {
		m.rescale(m.Line, to, now)
		return
	}
	m.Line.Rescale(to, now)
}

func TestPlantedBugsInTheLineAreCaught(t *testing.T) {
	for name, c := range map[string]struct {
		bug     mutant
		unsound bool // calls too many come of it, and not only other ones
	}{
		"a canceled call moves the whole line up": {unsound: true, bug: mutant{cancel: func(l *Line, s Slot, now int64) {
			l.TAT -= s.To - s.From
		}}},
		"a canceled place is lost": {bug: mutant{cancel: func(l *Line, s Slot, now int64) {
			if s.To == l.TAT {
				l.Cancel(s, now)
			}
		}}},
		"a canceled place is given twice": {unsound: true, bug: mutant{cancel: func(l *Line, s Slot, now int64) {
			l.Cancel(s, now)
			l.free = append(l.free[:len(l.free):len(l.free)], l.free...)
			slices.SortFunc(l.free, func(a, b Slot) int { return cmp.Compare(a.From, b.From) })
		}}},
		"a canceled place serves after its time": {unsound: true, bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			if n == 1 && len(l.free) > 0 && l.free[0].From < now && l.free[0].To > now {
				s := l.free[0]
				l.free = l.free[1:]
				return s, 0, true
			}
			return l.Take(now, n, within)
		}}},
		"one more than the burst": {unsound: true, bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			pace := l.Pace
			defer func() { l.Pace = pace }()
			l.Pace = NewPace(pace.Interval, pace.Burst+1)
			return l.Take(now, n, within)
		}}},
		"one less than the burst": {bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			if l.Burst > n {
				pace := l.Pace
				defer func() { l.Pace = pace }()
				l.Pace = NewPace(pace.Interval, pace.Burst-1)
			}
			return l.Take(now, n, within)
		}}},
		"an instant too early": {unsound: true, bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			s, wait, ok := l.Take(now, n, within+1)
			return s, max(0, wait-1), ok
		}}},
		"many count as one": {unsound: true, bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			return l.Take(now, 1, within)
		}}},
		"0 means never": {unsound: true, bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			if l.TAT <= 0 {
				l.TAT = Unset
			}
			return l.Take(now, n, within)
		}}},
		"who is turned away pays": {bug: mutant{take: func(l *Line, now, n, within int64) (Slot, int64, bool) {
			s, wait, ok := l.Take(now, n, within)
			if !ok {
				l.Take(now, n, 1<<60)
			}
			return s, wait, ok
		}}},
		"debts are forgotten when the rate changes": {unsound: true, bug: mutant{rescale: func(l *Line, to Pace, now int64) {
			l.Rescale(to, now)
			l.TAT, l.free = min(l.TAT, now), nil
		}}},
		"debts are time when the rate changes": {unsound: true, bug: mutant{rescale: func(l *Line, to Pace, now int64) {
			l.Pace = to
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			with := func(l *Line) subject { b := c.bug; b.Line = l; return b }
			wrong, unsound := false, false
			for seed := uint64(0); seed < 500 && !wrong; seed++ {
				_, err := check(seed, 300, with)
				wrong = err != nil
			}
			for seed := uint64(0); seed < 2000 && !unsound; seed++ {
				unsound = history(seed, with) != nil
			}
			if !wrong {
				t.Error("500 random runs do not show the difference")
			}
			if unsound != c.unsound {
				t.Errorf("a window with too many calls was found: %v, want %v", unsound, c.unsound)
			}
		})
	}
	t.Run("an interval too short", func(t *testing.T) {
		for seed := range uint64(100) {
			if history(seed, func(l *Line) subject {
				l.Pace = NewPace(max(1, l.Interval-1), l.Burst)
				return l
			}) != nil {
				return
			}
		}
		t.Error("the windows do not show it")
	})
}

// The short way through is the long one for a single call that does not wait, also at both ends of time and past a word that tells nothing.
func TestPassIsTakeWithoutAWait(t *testing.T) {
	ends := []int64{Unset, Unset + 1, -1 << 59, -1, 0, 1, 1 << 62, Held - 21, Held - 11, Held - 10, Held - 2, Held - 1}
	for _, pace := range []Pace{NewPace(10, 1), NewPace(10, 2), NewPace(1, MaxSpan), NewPace(MaxSpan, 1)} {
		for _, tat := range ends {
			for _, now := range ends[1:] {
				for d := range int64(3) {
					now := now - min(1, d)*(d-1)
					l := Line{Pace: pace, TAT: tat}
					_, _, want := l.Take(now, 1, 0)
					next, ok := pace.Pass(tat, now)
					if ok != want || ok && next != l.TAT {
						t.Errorf("%d every %d: Pass(%d, %d) = %d, %v, want %d, %v", pace.Burst, pace.Interval, tat, now, next, ok, l.TAT, want)
					}
					_, wait, some := pace.Wait(tat, now, 1)
					if early := pace.Early(tat, now); early != (some && wait > 0) {
						t.Errorf("%d every %d: Early(%d, %d) = %v, but the wait is %d, %v", pace.Burst, pace.Interval, tat, now, early, wait, some)
					}
				}
			}
		}
		for _, now := range ends[1:] {
			if _, ok := pace.Pass(Held, now); ok || pace.Early(Held, now) {
				t.Errorf("a held word decides at %d", now)
			}
		}
	}
}

// Slots that a slower pace moves to the end of time are all there at once: none may be given away for another.
func TestSlotsAtTheEndOfTimeAreNotGivenBack(t *testing.T) {
	l := Line{Pace: NewPace(1, 1), TAT: Unset}
	l.Take(0, 1, 0)
	a, _, _ := l.Take(0, 1, 10)
	l.Take(0, 1, 10)
	from, to := l.Pace, NewPace(MaxSpan, 1)
	l.Rescale(to, 0)
	l.Cancel(Slot{Shift(a.From, 0, &from, &to), Shift(a.To, 0, &from, &to)}, 0)
	if slot, _, ok := l.Take(0, 1, 1<<63-1); ok {
		t.Errorf("a place at %d was given", slot.From)
	}
}
