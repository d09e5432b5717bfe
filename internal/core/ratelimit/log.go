package ratelimit

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// MaxLog is the highest rate of a Log.
const MaxLog = 1 << 20

// A Log remembers calls one by one, and admits never more than Rate in any half-open window of Per nanoseconds.
//
// Each call is an entry; the entries are in the order of their instants, and each but the first Rate is at least Per after the one Rate before it.
type Log struct {
	Rate int
	Per  int64

	keep    int     // the highest Rate there was
	changed int64   // when SetRate was called, or Unset
	entries []entry // oldest first
	gone    int64   // the instant of the latest entry that is let go, or Unset
	free    []int64 // ids of the entries of canceled calls whose instant is still to come, in order
	next    int64   // the id of the next entry
	buf     []entry // what entries is a part of
}

type entry struct {
	at, id int64
	joined bool // to the entry before it: both belong to calls that come at once
	begun  bool // without a wait
}

// NewLog returns an empty Log.
func NewLog(rate int, per int64) *Log {
	return &Log{Rate: rate, Per: per, keep: rate, changed: Unset, gone: Unset}
}

// Take enters n calls, 1 to Rate of them, as soon as possible, if they need not wait for longer than within. It returns the id by which At and
// Cancel know them, and the wait in any case, and false if they would have to wait for longer.
func (l *Log) Take(now int64, n int, within int64) (id, wait int64, ok bool) {
	l.lapse(now)
	ready := l.ready(len(l.entries)+n-1, now)
	if end := len(l.entries); end > 0 && !l.entries[end-1].begun {
		ready = max(ready, l.entries[end-1].at) // nobody overtakes who waits
	}
	if n == 1 && len(l.free) > 0 {
		if at := l.entries[l.find(l.free[0])].at; at <= ready {
			return l.retake(after(at, now), within)
		}
	}
	if wait = after(ready, now); wait > within || ready == math.MaxInt64 {
		return 0, wait, false
	}
	// One who begins now, while another who has begun had a clock reading that is later by a little, is entered as late as that.
	at := l.inOrder(ready)
	l.trim(now)
	id = l.next
	for i := range n {
		l.push(entry{at: at, id: l.next, joined: i > 0, begun: wait == 0})
		l.next++
	}
	return id, wait, true
}

// retake gives the entry of the first canceled call to another.
func (l *Log) retake(wait, within int64) (int64, int64, bool) {
	id := l.free[0]
	if wait > within {
		return 0, wait, false
	}
	l.free = slices.Delete(l.free, 0, 1)
	l.entries[l.find(id)].begun = wait == 0
	return id, wait, true
}

// inOrder returns the instant under which a call that may begin at ready is entered.
func (l *Log) inOrder(ready int64) int64 {
	if end := len(l.entries); end > 0 {
		return max(ready, l.entries[end-1].at)
	}
	return ready
}

// ready returns the first instant from now on at which there may be an i-th entry.
func (l *Log) ready(i int, now int64) int64 {
	before := l.gone
	if i -= l.Rate; i >= 0 {
		before = l.entries[i].at
	}
	if before == Unset {
		return now
	}
	if before > math.MaxInt64-l.Per {
		return math.MaxInt64
	}
	return max(now, before+l.Per)
}

func after(at, now int64) int64 {
	if at <= now {
		return 0
	}
	return int64(min(uint64(at)-uint64(now), math.MaxInt64))
}

// At tells when the calls known by id, which are neither canceled nor void, may begin: Unset if that is long ago.
func (l *Log) At(id int64) int64 {
	if i, ok := slices.BinarySearchFunc(l.entries, id, byID); ok {
		return l.entries[i].at
	}
	return Unset
}

func byID(e entry, id int64) int { return cmp.Compare(e.id, id) }

func (l *Log) find(id int64) int {
	i, _ := slices.BinarySearchFunc(l.entries, id, byID)
	return i
}

// Cancel takes n calls back. The last ones are as if they had never come. An entry before others is kept, as long as its instant is to come, for the
// next single call, and then forgotten.
func (l *Log) Cancel(id int64, n int, now int64) {
	for ; n > 0; n, id = n-1, id+1 {
		i, ok := slices.BinarySearchFunc(l.entries, id, byID)
		if !ok {
			continue
		}
		l.entries[i].joined = false
		f, _ := slices.BinarySearch(l.free, id)
		l.free = slices.Insert(l.free, f, id)
	}
	l.lapse(now)
	for end := len(l.entries) - 1; len(l.free) > 0 && l.free[len(l.free)-1] == l.entries[end].id; end-- {
		l.entries = l.entries[:end]
		l.free = l.free[:len(l.free)-1]
	}
}

// lapse forgets the canceled calls for whose instants everybody who comes now or later is too late, and those that only an earlier bound allowed.
func (l *Log) lapse(now int64) {
	for len(l.free) > 0 {
		i := l.find(l.free[0])
		if at := l.entries[i].at; at >= now && at > l.changed {
			return
		}
		l.entries = slices.Delete(l.entries, i, i+1)
		l.free = slices.Delete(l.free, 0, 1)
	}
}

// trim lets go of entries that nothing will be measured by again. Those to come do not count: they may be canceled.
func (l *Log) trim(now int64) {
	for len(l.entries) > l.keep && l.entries[l.keep].at <= now {
		l.gone = l.entries[0].at
		l.entries = l.entries[1:]
	}
}

// push appends e. It moves the entries to the front of their array where that has room, so that a Log that has found its size allocates no more.
func (l *Log) push(e entry) {
	if len(l.entries) == cap(l.entries) && len(l.entries) <= cap(l.buf)/2 {
		l.entries = append(l.buf[:0], l.entries...)
	}
	grows := len(l.entries) == cap(l.entries)
	l.entries = append(l.entries, e)
	if grows {
		l.buf = l.entries
	}
}

// SetRate changes the bound at now. Calls that are to come keep their order and get new instants, as soon as the new bound allows, counting the
// calls that went before. Those that come more than rate at once are void now; it returns their ids. Entries of canceled calls are forgotten.
//
// Where the new window reaches back to calls that are let go, they count as late as they may have been.
func (l *Log) SetRate(rate int, per, now int64) (void []int64) {
	for _, id := range l.free {
		i := l.find(id)
		l.entries = slices.Delete(l.entries, i, i+1)
	}
	l.free = l.free[:0]
	for _, e := range l.entries {
		if e.begun {
			now = max(now, e.at)
		}
	}
	l.Rate, l.Per, l.keep, l.changed = rate, per, max(l.keep, rate), now
	all := l.entries
	i := 0
	for i < len(all) && all[i].at <= now {
		i++
	}
	l.entries = all[:i]
	for i < len(all) {
		n := 1
		for i+n < len(all) && all[i+n].joined {
			n++
		}
		if n <= rate {
			at := l.inOrder(l.ready(len(l.entries)+n-1, now))
			for _, e := range all[i : i+n] {
				e.at = at
				l.entries = append(l.entries, e)
			}
		} else {
			void = append(void, all[i].id)
		}
		i += n
	}
	return void
}

// Available returns how many single calls could begin now.
func (l *Log) Available(now int64) int {
	l.lapse(now)
	n := sort.Search(len(l.free), func(i int) bool { return l.entries[l.find(l.free[i])].at > now })
	if end := len(l.entries) - 1; end >= 0 && l.entries[end].at > now && !l.entries[end].begun {
		return n
	}
	return n + sort.Search(l.Rate, func(i int) bool { return l.ready(len(l.entries)+i, now) > now })
}

// Idle reports whether a new Log would do as well.
func (l *Log) Idle(now int64) bool {
	l.lapse(now)
	return l.ready(len(l.entries)+l.Rate-1, now) <= now
}
