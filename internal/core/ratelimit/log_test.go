package ratelimit

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// diary is the model of a Log: a list of all calls that there were, never shortened.
type diary struct {
	rate int
	per  int64
	all  []*noted

	changed int64
}

type noted struct {
	at, id int64
	n      int // calls of its group
	first  bool
	free   bool // canceled, with at to come
	gone   bool // canceled
	since  int64
	bound  [2]int64 // the rate and the per under which it begins
}

func (d *diary) forget(now int64) {
	d.all = slices.DeleteFunc(d.all, func(e *noted) bool { return e.free && (e.at < now || e.at <= d.changed) })
}

// ready looks back from the i-th entry.
func (d *diary) ready(i int, now int64) int64 {
	at := now
	if i >= d.rate {
		at = max(at, d.all[i-d.rate].at+d.per)
	}
	return at
}

// take returns the instant, and the entries if they are made.
func (d *diary) take(now int64, n int, within int64) (int64, []*noted) {
	d.forget(now)
	at := d.ready(len(d.all)+n-1, now)
	if len(d.all) > 0 {
		at = max(at, d.all[len(d.all)-1].at)
	}
	if n == 1 {
		for _, e := range d.all {
			if e.free && e.at <= at {
				if e.at-now > within {
					return e.at, nil
				}
				e.free, e.n, e.first = false, 1, true
				return e.at, []*noted{e}
			}
		}
	}
	if at-now > within {
		return at, nil
	}
	var group []*noted
	for i := range n {
		group = append(group, &noted{at: at, n: n, first: i == 0, bound: [2]int64{int64(d.rate), d.per}})
	}
	d.all = append(d.all, group...)
	return at, group
}

func (d *diary) cancel(group []*noted, now int64) {
	for _, e := range group {
		e.free = true
	}
	d.forget(now)
	for len(d.all) > 0 && d.all[len(d.all)-1].free {
		d.all = d.all[:len(d.all)-1]
	}
}

func (d *diary) setRate(rate int, per, now int64) {
	d.rate, d.per, d.changed = rate, per, now
	d.all = slices.DeleteFunc(d.all, func(e *noted) bool { return e.free })
	old := d.all
	d.all = nil
	for i := 0; i < len(old); {
		if old[i].at <= now {
			d.all = append(d.all, old[i])
			i++
			continue
		}
		n := old[i].n
		if n > rate {
			for _, e := range old[i : i+n] {
				e.gone = true
			}
		} else {
			at := d.ready(len(d.all)+n-1, now)
			if len(d.all) > 0 {
				at = max(at, d.all[len(d.all)-1].at)
			}
			for _, e := range old[i : i+n] {
				e.at, e.bound = at, [2]int64{int64(rate), per}
				d.all = append(d.all, e)
			}
		}
		i += n
	}
}

func (d *diary) available(now int64) (n int) {
	saved := make([]noted, len(d.all))
	list := slices.Clone(d.all)
	for i, e := range d.all {
		saved[i] = *e
	}
	for {
		if _, group := d.take(now, 1, 0); group == nil {
			break
		}
		n++
	}
	for i, e := range list {
		*e = saved[i]
	}
	d.all = list
	d.forget(now)
	return n
}

// sound looks at the windows that end at each entry.
func (d *diary) sound() error {
	for i, e := range d.all {
		n := int64(0)
		for j := i; j >= 0 && d.all[j].at > e.at-e.bound[1]; j-- {
			n++
		}
		if !e.free && n > e.bound[0] {
			return fmt.Errorf("%d calls in the %d before %d, want %d", n, e.bound[1], e.at, e.bound[0])
		}
	}
	return nil
}

type logSubject interface {
	Take(now int64, n int, within int64) (int64, int64, bool)
	Cancel(id int64, n int, now int64)
	SetRate(rate int, per, now int64) []int64
	Available(now int64) int
	At(id int64) int64
}

// checkLog compares random operations. The per never grows here: what the Log is to remember for that is another test's.
func checkLog(seed uint64, ops int, with func(*Log) logSubject) (done int, err error) {
	rng := rand.New(rand.NewPCG(seed, 13))
	d := &diary{rate: 1 + rng.IntN([]int{2, 10}[rng.IntN(2)]), per: 1 + rng.Int64N(1000), changed: math.MinInt64}
	now := []int64{0, -1 << 59, math.MinInt64 + 1<<20, -1000}[rng.IntN(4)]
	sut := with(NewLog(d.rate, d.per))
	var groups [][]*noted
	for done = range ops {
		switch op := rng.IntN(20); {
		case op < 11:
			n := 1
			if rng.IntN(4) == 0 {
				n = 1 + rng.IntN(d.rate)
			}
			within := []int64{-1, 0, 0, d.per, 3 * d.per}[rng.IntN(5)]
			at, group := d.take(now, n, within)
			id, wait, ok := sut.Take(now, n, within)
			if ok != (group != nil) || wait != at-now {
				return done, fmt.Errorf("Take(%d, %d, %d) has a wait of %d, %v, want %d, %v", now, n, within, wait, ok, at-now, group != nil)
			}
			if ok {
				for i := range group {
					group[i].id = id + int64(i)
				}
				groups = append(groups, group)
			}
		case op < 14 && len(groups) > 0:
			i := len(groups) - 1 - rng.IntN(min(8, len(groups)))
			group := groups[i]
			groups = slices.Delete(groups, i, i+1)
			if !group[0].gone {
				d.cancel(group, now)
				sut.Cancel(group[0].id, len(group), now)
			}
		case op == 14 && rng.IntN(10) == 0:
			rate, per := 1+rng.IntN(12), d.per
			if rng.IntN(3) == 0 {
				per = 1 + rng.Int64N(d.per)
			}
			d.setRate(rate, per, now)
			void := sut.SetRate(rate, per, now)
			for _, g := range groups {
				if _, found := slices.BinarySearch(void, g[0].id); found != (g[0].gone && g[0].since == 0) {
					return done, fmt.Errorf("call %d is void: %v, want %v", g[0].id, found, g[0].gone)
				}
				if g[0].gone {
					g[0].since = 1 // told once
				}
			}
		case op == 15:
			if got, want := sut.Available(now), d.available(now); got != want {
				return done, fmt.Errorf("%d available at %d, want %d", got, now, want)
			}
		case op == 16 && len(groups) > 0:
			g := groups[rng.IntN(len(groups))]
			if got := sut.At(g[0].id); !g[0].gone && max(got, now) != max(g[0].at, now) {
				return done, fmt.Errorf("call %d is at %d, want %d", g[0].id, got, g[0].at)
			}
		default:
			now += rng.Int64N(max(1, d.per/2)) * int64(rng.IntN(2))
			if rng.IntN(4) == 0 && len(d.all) > 0 {
				now = max(now, d.all[rng.IntN(len(d.all))].at+rng.Int64N(2)*d.per) // on the dot
			}
		}
		if err := d.sound(); err != nil && rng.IntN(10) == 0 {
			return done, err
		}
		if extra := len(d.all) - 60; extra > 0 && d.all[extra].at < now {
			d.all = d.all[extra:] // of no interest to anybody; only to be quick
		}
		if extra := len(groups) - 20; extra > 0 {
			groups = groups[extra:]
		}
	}
	return done + 1, nil
}

func TestALogAgainstTheModel(t *testing.T) {
	total := 0
	for seed := range uint64(1500 / thorough) {
		n, err := checkLog(seed, 300, func(l *Log) logSubject { return l })
		if err != nil {
			t.Fatalf("seed %d, operation %d: %v", seed, n, err)
		}
		total += n
	}
	if total < 400_000/thorough {
		t.Errorf("only %d operations", total)
	}
}

// Time that goes back, and any change of the rate. Each window that ends with a call is within the bound of that call's time, whatever the Log had let go.
func historyOfLog(seed uint64, with func(*Log) logSubject) error {
	rng := rand.New(rand.NewPCG(seed, 14))
	rate, per := 1+rng.IntN(5), 1+rng.Int64N(50)
	sut := with(NewLog(rate, per))
	now := int64(-100)
	backward := rng.IntN(2) == 0
	d := &diary{}
	for range 100 {
		switch op := rng.IntN(10); {
		case op < 6:
			if id, wait, ok := sut.Take(now, 1, []int64{0, 0, 200}[rng.IntN(3)]); ok {
				d.all = append(d.all, &noted{at: now + wait, id: id, bound: [2]int64{int64(rate), per}})
			}
		case op == 6 && len(d.all) > 0:
			i := len(d.all) - 1 - rng.IntN(min(5, len(d.all)))
			sut.Cancel(d.all[i].id, 1, now)
			d.all = slices.Delete(d.all, i, i+1)
		case op == 7 && !backward && rng.IntN(3) == 0:
			rate, per = 1+rng.IntN(10), 1+rng.Int64N(100)
			sut.SetRate(rate, per, now)
			for _, e := range d.all {
				if e.at > now {
					e.at, e.bound = sut.At(e.id), [2]int64{int64(rate), per}
				}
			}
		case backward && rng.IntN(3) == 0:
			now -= rng.Int64N(20)
		default:
			now += rng.Int64N(20)
		}
	}
	slices.SortStableFunc(d.all, func(a, b *noted) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id)) })
	return d.sound()
}

func TestNoWindowOfALogHasTooManyCalls(t *testing.T) {
	for seed := range uint64(5000 / thorough) {
		if err := historyOfLog(seed, func(l *Log) logSubject { return l }); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
