package backoff

import (
	"math"
	"math/big"
	"testing"
	"time"
)

const (
	ms      = time.Millisecond
	forever = time.Duration(math.MaxInt64)
)

func TestWaitsBeforeJitter(t *testing.T) {
	double := Schedule{Base: 100 * ms, Factor: 2, Max: time.Second, Jitter: None}
	thrice := Schedule{Base: ms, Factor: 1.5, Max: forever, Jitter: None}
	linear := Schedule{Kind: Linear, Base: 3 * ms, Max: 10 * ms, Jitter: None}
	steps := Schedule{Kind: Sequence, Steps: []time.Duration{5 * ms, 0, 7 * ms}, Max: forever, Jitter: None}
	custom := Schedule{Kind: Custom, Func: func(n int) time.Duration { return time.Duration(n-2) * ms }, Max: forever, Jitter: None}
	for _, c := range []struct {
		name string
		s    Schedule
		want []time.Duration
	}{
		{"exponential", double, []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, time.Second, time.Second}},
		{"factor 1.5", thrice, []time.Duration{ms, 1500 * time.Microsecond, 2250 * time.Microsecond}},
		{"linear", linear, []time.Duration{3 * ms, 6 * ms, 9 * ms, 10 * ms, 10 * ms}},
		{"sequence", steps, []time.Duration{5 * ms, 0, 7 * ms, 7 * ms}},
		{"custom", custom, []time.Duration{0, 0, ms, 2 * ms}},
		{"zero", Schedule{}, []time.Duration{0, 0, 0}},
		{"no steps", Schedule{Kind: Sequence, Max: forever}, []time.Duration{0, 0}},
	} {
		for i, want := range c.want {
			if got := c.s.Wait(i+1, 0, math.MaxUint64); got != want {
				t.Errorf("%s: wait %d is %v, want %v", c.name, i+1, got, want)
			}
		}
	}
}

// The extreme draws give the ends of each jitter's range, and nothing lies outside.
func TestJitterRanges(t *testing.T) {
	plain := Schedule{Base: 100 * ms, Factor: 1, Max: forever, Ratio: 0.25}
	for _, c := range []struct {
		jitter    Jitter
		low, high time.Duration
	}{
		{Full, 0, 100 * ms},
		{None, 100 * ms, 100 * ms},
		{Equal, 50 * ms, 100 * ms},
		{Spread, 75 * ms, 125 * ms},
		{Decorrelated, 100 * ms, 300 * ms},
	} {
		s := plain
		s.Jitter = c.jitter
		if got := s.Wait(1, 0, 0); got != c.low {
			t.Errorf("jitter %d: lowest wait %v, want %v", c.jitter, got, c.low)
		}
		if got := s.Wait(1, 0, math.MaxUint64); got != c.high {
			t.Errorf("jitter %d: highest wait %v, want %v", c.jitter, got, c.high)
		}
	}
}

func TestCapComesBeforeJitter(t *testing.T) {
	s := Schedule{Base: time.Second, Factor: 2, Max: 4 * time.Second, Jitter: Spread, Ratio: 0.5}
	if got := s.Wait(100, 0, math.MaxUint64); got != 6*time.Second {
		t.Errorf("highest wait %v, want 6s: half above the capped 4s", got)
	}
	if got := s.Wait(100, 0, 0); got != 2*time.Second {
		t.Errorf("lowest wait %v, want 2s: half below the capped 4s", got)
	}
}

// Half above the longest duration there is would be negative.
func TestSemantics10SpreadOfTheLongestWait(t *testing.T) {
	s := Schedule{Base: forever, Factor: 2, Max: forever, Jitter: Spread, Ratio: 0.5}
	if got := s.Wait(1, 0, math.MaxUint64); got != forever {
		t.Errorf("highest wait %d, want %d", got, forever)
	}
	if got := s.Wait(1, 0, 0); got < forever/2-1024 || got > forever/2+1024 {
		t.Errorf("lowest wait %d, want about %d", got, forever/2)
	}
}

func TestUniformMapsDrawsEvenly(t *testing.T) {
	// Four values share the range of the draws in equal parts.
	for i := range uint64(4) {
		first, last := i<<62, i<<62+(1<<62-1)
		for _, u := range []uint64{first, last} {
			if got := Uniform(10, 13, u); got != 10+time.Duration(i) {
				t.Errorf("Uniform(10, 13, %#x) = %d, want %d", u, got, 10+i)
			}
		}
	}
	if got := Uniform(9, 3, math.MaxUint64); got != 9 {
		t.Errorf("Uniform(9, 3) = %d, want the low end", got)
	}
	if got := Uniform(0, forever, math.MaxUint64); got != forever {
		t.Errorf("Uniform(0, MaxInt64) = %d at most", got)
	}
}

func TestSemantics10SumSaturates(t *testing.T) {
	for _, c := range [][3]time.Duration{{1, 2, 3}, {forever, 0, forever}, {forever, 1, forever}, {forever, forever, forever}, {forever - 5, 5, forever}} {
		if got := Sum(c[0], c[1]); got != c[2] {
			t.Errorf("Sum(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

// A cap below zero is no configuration that package retry accepts, and the core's promise is for any input.
func TestNegativeMaxNeverGivesANegativeWait(t *testing.T) {
	for j := Full; j <= Decorrelated; j++ {
		for k := Exponential; k <= Custom; k++ {
			s := Schedule{
				Kind: k, Base: time.Second, Factor: 2, Max: -time.Second, Steps: []time.Duration{time.Second},
				Func: func(int) time.Duration { return time.Second }, Jitter: j, Ratio: 0.5,
			}
			if got := s.Wait(3, time.Minute, math.MaxUint64); got != 0 {
				t.Errorf("kind %d, jitter %d: wait %v under a negative cap, want 0", k, j, got)
			}
		}
	}
}

// FuzzSemantics10WaitSaturates compares every wait with big-number arithmetic that cannot overflow.
func FuzzSemantics10WaitSaturates(f *testing.F) {
	hard := []int64{0, 1, -1, int64(ms), math.MaxInt64, math.MinInt64, math.MaxInt64 - 1}
	for k := range uint8(4) {
		for j := range uint8(5) {
			for _, base := range hard {
				f.Add(k, j, base, 1e9, int64(time.Minute), 0.25, 1_000_000, int64(math.MaxInt64), uint64(math.MaxUint64))
				f.Add(k, j, int64(time.Second), 2.0, base, 1.0, 1, base, uint64(1)<<63)
			}
			f.Add(k, j, int64(1), math.NaN(), int64(math.MaxInt64), math.Inf(1), math.MinInt, int64(-5), uint64(0))
			f.Add(k, j, int64(0), math.Inf(1), int64(5), math.NaN(), math.MaxInt, int64(0), uint64(0))
			f.Add(k, j, int64(7), -2.0, int64(5), -1.0, 2, int64(0), uint64(9))
		}
	}
	f.Fuzz(func(t *testing.T, kind, jitter uint8, base int64, factor float64, limit int64, ratio float64, n int, prev int64, u uint64) {
		s := Schedule{
			Kind: Kind(kind % 4), Base: time.Duration(base), Factor: factor, Max: time.Duration(limit),
			Steps: []time.Duration{time.Duration(base), time.Duration(limit), time.Duration(prev)},
			Func:  func(n int) time.Duration { return time.Duration(base + int64(n)) },
			// Beyond the last kind: no such jitter must be safe too.
			Jitter: Jitter(jitter % 6), Ratio: ratio,
		}
		got := s.Wait(n, time.Duration(prev), u)
		top := max(s.Max, 0)
		if s.Jitter == Spread && !(ratio <= 0) {
			top = Sum(top, saturated(ratio*float64(top)))
			top = Sum(top, time.Duration(float64(top)*1e-12)+1) // float64 has no room for the last nanoseconds
		}
		if got < 0 || got > top {
			t.Fatalf("%+v: wait %d after attempt %d, want 0 to %d", s, got, n, top)
		}
		if s.Jitter != None || s.Kind != Exponential || !(factor >= 1) || math.IsInf(factor, 0) || n < 1 || n > 200 {
			return
		}
		if want := exact(max(base, 0), factor, n, max(limit, 0)); math.Abs(float64(got)-want) > 1+want*1e-9 {
			t.Fatalf("%+v: wait %d after attempt %d, want %.0f", s, got, n, want)
		}
	})
}

// exact is min(base·factor^(n-1), limit), computed without rounding to durations on the way.
func exact(base int64, factor float64, n int, limit int64) float64 {
	product := new(big.Float).SetPrec(200).SetInt64(base)
	by := new(big.Float).SetPrec(200).SetFloat64(factor)
	for range n - 1 {
		product.Mul(product, by)
	}
	if top := new(big.Float).SetInt64(limit); product.Cmp(top) > 0 {
		product = top
	}
	f, _ := product.Float64()
	return f
}
