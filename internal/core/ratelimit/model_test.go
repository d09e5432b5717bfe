package ratelimit

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func num(v int64) *big.Int { return big.NewInt(v) }

// A booked slot, as the model has it: what is occupied of the time line and when its calls begin.
type booked struct {
	from, to, begin *big.Int
	n               int64
	slot            Slot // what the subject said
	left            bool // canceled
}

// model says what a line is to do, with a list of all slots and numbers that do not overflow. Its time does not go back: then there are no
// stretches to come that nobody has, but for those that were given back.
type model struct {
	interval, burst *big.Int
	all             []*booked // in the order in which they came
}

// place finds the first stretch of n slots from now on that touches no other's.
func (m *model) place(now, n int64) *booked {
	b := &booked{n: n, from: num(now)}
	length := new(big.Int).Mul(num(n), m.interval)
	near := slices.Clone(m.all)
	near = slices.DeleteFunc(near, func(o *booked) bool { return o.left || o.to.Cmp(b.from) <= 0 })
	slices.SortFunc(near, func(a, b *booked) int { return a.from.Cmp(b.from) })
	b.to = new(big.Int).Add(b.from, length)
	for _, o := range near {
		if o.from.Cmp(b.to) >= 0 {
			break
		}
		if o.to.Cmp(b.from) > 0 {
			b.from = o.to
			b.to = new(big.Int).Add(b.from, length)
		}
	}
	b.begin = m.begin(b, now)
	return b
}

// begin says when calls with b's slot begin, if not before now: Burst-n intervals before it.
func (m *model) begin(b *booked, now int64) *big.Int {
	early := new(big.Int).Mul(new(big.Int).Sub(m.burst, num(b.n)), m.interval)
	begin := early.Sub(b.from, early)
	if begin.Cmp(num(now)) < 0 {
		return num(now)
	}
	return begin
}

func (m *model) take(now, n, within int64) (*booked, int64, bool) {
	b := m.place(now, n)
	wait := new(big.Int).Sub(b.begin, num(now))
	if b.to.Cmp(num(math.MaxInt64)) >= 0 || !wait.IsInt64() {
		return b, math.MaxInt64, false
	}
	if wait.Cmp(num(within)) > 0 {
		return b, wait.Int64(), false
	}
	m.all = append(m.all, b)
	return b, wait.Int64(), true
}

func (m *model) rescale(interval, now int64) {
	old := m.interval
	shift := func(i *big.Int) *big.Int {
		ahead := new(big.Int).Sub(i, num(now))
		if ahead.Sign() <= 0 {
			return i
		}
		ahead.Mul(ahead, num(interval)).Add(ahead, old).Sub(ahead, num(1)).Div(ahead, old)
		return ahead.Add(ahead, num(now))
	}
	m.interval = num(interval)
	for _, b := range m.all {
		b.from, b.to = shift(b.from), shift(b.to)
		if b.begin.Cmp(num(now)) > 0 {
			b.begin = m.begin(b, now)
		}
	}
}

func (m *model) available(now int64) (n int64) {
	all := m.all
	defer func() { m.all = all }()
	for {
		if _, _, ok := m.take(now, 1, 0); !ok {
			return n
		}
		n++
	}
}

// subject is the Line under test, or one with a bug planted.
type subject interface {
	Take(now, n, within int64) (Slot, int64, bool)
	Cancel(s Slot, now int64)
	Rescale(to Pace, now int64)
	Available(now int64) int64
}

func correct(l *Line) subject { return l }

// check does random operations to the subject and to the model and returns the first difference, and how many there were.
func check(seed uint64, ops int, with func(*Line) subject) (done int, err error) {
	rng := rand.New(rand.NewPCG(seed, 11))
	interval := 1 + rng.Int64N([]int64{1, 10, 1e9, 1 << 40}[rng.IntN(4)])
	burst := 1 + rng.Int64N(min([]int64{1, 3, 20}[rng.IntN(3)], MaxSpan/interval))
	now := []int64{0, -1 << 59, math.MinInt64 + 1, math.MaxInt64 - 30*interval, -20 * interval}[rng.IntN(5)]
	atTheEnd := now > 1<<61
	m := &model{interval: num(interval), burst: num(burst)}
	l := &Line{Pace: NewPace(interval, burst), TAT: Unset}
	sut := with(l)
	for done = range ops {
		switch op := rng.IntN(20); {
		case op < 10:
			n := 1 + rng.Int64N(min(burst, 1+rng.Int64N(4)))
			within := []int64{-1, 0, 0, interval, 5 * interval, math.MaxInt64}[rng.IntN(6)]
			b, wait, ok := m.take(now, n, within)
			slot, gotWait, gotOK := sut.Take(now, n, within)
			if gotWait != wait || gotOK != ok {
				return done, fmt.Errorf("Take(%d, %d, %d) has a wait of %d, %v, want %d, %v", now, n, within, gotWait, gotOK, wait, ok)
			}
			b.slot = slot
		case op < 14 && len(m.all) > 0:
			b := m.all[len(m.all)-1-rng.IntN(min(len(m.all), 6))]
			if b.left || atTheEnd && b.to.Cmp(num(Held-1)) >= 0 {
				continue
			}
			b.left = true
			sut.Cancel(b.slot, now)
		case op == 14 && !atTheEnd && rng.IntN(5) == 0:
			to := 1 + rng.Int64N(2*interval)
			if to > MaxSpan/burst || len(m.all) > 0 && new(big.Int).Sub(m.all[len(m.all)-1].to, num(now)).Cmp(num(1<<56)) > 0 {
				continue
			}
			from, pace := l.Pace, NewPace(to, burst)
			m.rescale(to, now)
			sut.Rescale(pace, now)
			for _, b := range m.all {
				b.slot = Slot{Shift(b.slot.From, now, &from, &pace), Shift(b.slot.To, now, &from, &pace)}
			}
			interval = to
		case op == 15:
			if got, want := sut.Available(now), m.available(now); got != want {
				return done, fmt.Errorf("%d available at %d, want %d", got, now, want)
			}
		default:
			by := rng.Int64N(max(2, interval*[]int64{1, 1, 3}[rng.IntN(3)]))
			if rng.IntN(3) == 0 {
				by = by / interval * interval // on the dot
			}
			if now > 0 && by > math.MaxInt64-now {
				return done, nil
			}
			now += by
		}
		// Whatever is over for ever is of no interest to the next operation.
		if len(m.all) > 40 {
			m.all = slices.DeleteFunc(m.all, func(b *booked) bool { return b.to.Cmp(num(now)) <= 0 })
		}
	}
	return done + 1, nil
}

func TestALineAgainstTheModel(t *testing.T) {
	total := 0
	for seed := range uint64(3000 / thorough) {
		n, err := check(seed, 300, correct)
		if err != nil {
			t.Fatalf("seed %d, operation %d: %v", seed, n, err)
		}
		total += n
	}
	if total < 700_000/thorough {
		t.Errorf("only %d operations", total)
	}
}

func FuzzLine(f *testing.F) {
	for seed := range uint64(10) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		if n, err := check(seed, 500, correct); err != nil {
			t.Fatalf("operation %d: %v", n, err)
		}
	})
}
