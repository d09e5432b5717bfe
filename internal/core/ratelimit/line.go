package ratelimit

import (
	"cmp"
	"slices"
)

// A Line is a time line on which calls get slots, and on which slots come free again when calls are canceled.
//
// The slots of all calls are disjoint, and each is at least an interval a call long and begins at most Burst-1 intervals after its call. Hence of
// the calls in any closed window of w nanoseconds, which have their slots within w + Burst*Interval, there are never
// more than Burst + w/Interval, whatever was canceled before. Freed slots are kept until they are past; one that has
// begun is too short for anybody by itself.
//
// Without freed slots a Line is nothing but its TAT.
type Line struct {
	Pace
	TAT  int64
	free []Slot // in order; none touches another or TAT
}

// A Slot is a stretch of the time line.
type Slot struct{ From, To int64 }

// Plain reports whether the TAT tells all there is to tell.
func (l *Line) Plain() bool { return len(l.free) == 0 }

// Take gives n calls the first slot that they can have, if they need not wait for longer than within. It returns the wait in any case, and
// false if there is no such slot. Calls that come at once need a slot in one piece.
func (l *Line) Take(now, n, within int64) (slot Slot, wait int64, ok bool) {
	l.lapse(now)
	length := n * l.Interval
	for i := range l.free {
		f := &l.free[i]
		from := max(f.From, now)
		if uint64(f.To)-uint64(from) < uint64(length) {
			continue
		}
		_, wait, _ = l.Wait(from, now, n)
		if wait > within {
			return Slot{}, wait, false
		}
		slot = Slot{from, from + length}
		if f.From = slot.To; f.From == f.To {
			l.free = slices.Delete(l.free, i, i+1)
		}
		return slot, wait, true
	}
	from, wait, ok := l.Wait(l.TAT, now, n)
	if !ok || wait > within {
		return Slot{}, wait, false
	}
	l.TAT = from + length
	return Slot{from, l.TAT}, wait, true
}

// Cancel gives a slot back. At the end of the line it is as if it had never been taken; elsewhere it is free for whoever comes before it begins.
func (l *Line) Cancel(s Slot, now int64) {
	if s.To >= Held-1 {
		return // many slots may end there: see Shift
	}
	i, _ := slices.BinarySearchFunc(l.free, s, func(a, b Slot) int { return cmp.Compare(a.From, b.From) })
	l.free = slices.Insert(l.free, i, s)
	if i+1 < len(l.free) && l.free[i+1].From == s.To {
		l.free[i].To = l.free[i+1].To
		l.free = slices.Delete(l.free, i+1, i+2)
	}
	if i > 0 && l.free[i-1].To == s.From {
		l.free[i-1].To = l.free[i].To
		l.free = slices.Delete(l.free, i, i+1)
	}
	if end := len(l.free) - 1; l.free[end].To == l.TAT {
		l.TAT = l.free[end].From
		l.free = l.free[:end]
	}
	l.lapse(now)
}

// lapse forgets the free slots that are past. One that has begun is kept: together with the next, should that come free too, it may be long enough.
func (l *Line) lapse(now int64) {
	n := 0
	for n < len(l.free) && l.free[n].To <= now {
		n++
	}
	if n > 0 {
		l.free = slices.Delete(l.free, 0, n)
	}
}

// Rescale changes the pace at now. Who stands in the line keeps his place in it: his slot is where Shift moves it.
func (l *Line) Rescale(to Pace, now int64) {
	for i := range l.free {
		f := &l.free[i]
		f.From, f.To = Shift(f.From, now, &l.Pace, &to), Shift(f.To, now, &l.Pace, &to)
	}
	l.TAT = Shift(l.TAT, now, &l.Pace, &to)
	l.Pace = to
	l.lapse(now)
}

// Available returns how many single calls could begin now.
func (l *Line) Available(now int64) int64 {
	var n int64
	last := min(now+min(int64(l.slack), Held-1-max(now, 0)), l.last) // at which a slot may begin
	for _, f := range l.free {
		from := max(f.From, now)
		if f.To <= from || from > last {
			continue
		}
		n += min((f.To-from)/l.Interval, (last-from)/l.Interval+1)
	}
	if start := max(l.TAT, now); start <= last {
		n += (last-start)/l.Interval + 1
	}
	return n
}
