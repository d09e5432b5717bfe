package quantile

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

const ms = 1e6

var distributions = map[string]func(r *rand.Rand) float64{
	"exponential": func(r *rand.Rand) float64 { return 20 * ms * r.ExpFloat64() },
	"lognormal":   func(r *rand.Rand) float64 { return 5 * ms * math.Exp(0.8*r.NormFloat64()) },
	"bimodal": func(r *rand.Rand) float64 {
		if r.Float64() < 0.07 {
			return 300*ms + 20*ms*r.NormFloat64()
		}
		return 3*ms + 0.2*ms*r.NormFloat64()
	},
	"narrow": func(r *rand.Rand) float64 { return 1*ms + r.Float64() },
	"hours":  func(r *rand.Rand) float64 { return 3e12 * r.Float64() },
}

// empirical returns the least sample that a share of q does not exceed.
func empirical(samples []int64, q float64) int64 {
	s := slices.Clone(samples)
	slices.Sort(s)
	return s[max(1, int(math.Ceil(q*float64(len(s)))))-1]
}

// kept returns which of the samples recorded a window still counts: the generation that fills up and the one before.
func kept(w *Window, samples []int64) []int64 {
	half := int(w.half)
	first := ((len(samples)-1)/half - 1) * half
	return samples[max(0, first):]
}

func near(got, want int64, tolerance float64) bool {
	return math.Abs(float64(got-want)) <= tolerance*float64(want)
}

func TestWithinTwoPercentOfTheWindowsOwnQuantile(t *testing.T) {
	for name, draw := range distributions {
		for _, q := range []float64{0.05, 0.5, 0.9, 0.95, 0.99, 0.999} {
			r := rand.New(rand.NewPCG(1, 2))
			w := New(q)
			var samples []int64
			for i := range 5 * w.Size() / 2 {
				x := int64(max(2000, draw(r)))
				samples = append(samples, x)
				w.Record(x)
				if i%(w.Size()/7) != 0 {
					continue
				}
				window := kept(w, samples)
				if want, got := empirical(window, q), w.Read(); !near(got, want, 0.02) {
					t.Errorf("%s, %v of %d: %d, want %d within 2%%", name, q, len(window), got, want)
				}
			}
		}
	}
}

// Value may lag by 32 records, and by no more.
func TestValueIsThatOfTheLastLook(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w := New(0.9)
	var looked int64
	for i := 1; i <= 5000; i++ {
		w.Record(int64(ms * r.ExpFloat64()))
		if i%every == 0 {
			looked = w.Read()
		}
		got, ok := w.Value()
		switch {
		case ok != (i >= 100):
			t.Fatalf("known after %d of %d: %t", i, w.Size(), ok)
		case i >= 128 && got != looked:
			t.Fatalf("after %d: %d, want %d as of the last multiple of %d", i, got, looked, every)
		}
	}
}

// A service gets five times slower, or recovers. When a whole window of new latencies is in, nothing is left of the old.
func TestFivefoldShift(t *testing.T) {
	for _, q := range []float64{0.5, 0.95, 0.99} {
		for _, factor := range []float64{5, 0.2} {
			for _, before := range []int{1, 499, 500, 777, 1000, 12345} {
				r := rand.New(rand.NewPCG(5, uint64(before)))
				w := New(q)
				for range before {
					w.Record(int64(10 * ms * r.ExpFloat64()))
				}
				var fresh []int64
				for range w.Size() {
					x := int64(factor * 10 * ms * r.ExpFloat64())
					fresh = append(fresh, x)
					w.Record(x)
				}
				all := append(make([]int64, before), fresh...)
				window := kept(w, all)
				if len(window) > len(fresh) || len(window) < len(fresh)/2 {
					t.Fatalf("the window counts %d latencies, want between half and all of %d", len(window), len(fresh))
				}
				if want, got := empirical(window, q), w.Read(); !near(got, want, 0.02) {
					t.Errorf("%v, %d before a shift by %v: %d, want %d within 2%%", q, before, factor, got, want)
				}
				if theory := -math.Log(1-q) * factor * 10 * ms; !near(w.Read(), int64(theory), 0.25) {
					t.Errorf("%v, %d before a shift by %v: %d, the distribution has %.0f", q, before, factor, w.Read(), theory)
				}
			}
		}
	}
}

func TestExtremes(t *testing.T) {
	for _, c := range []struct{ record, low, high int64 }{
		{math.MinInt64, 1, 16},
		{-1, 1, 16},
		{0, 1, 16},
		{15, 1, 16},
		{16, 16, 32},
		{1023, 1008, 1024},
		{1024, 1024, 1040},
		{1 << 41, 1 << 41, 1<<41 + 1<<35},
		{limit, limit - 1<<35, limit + 1},
		{limit + 1, limit - 1<<35, limit + 1},
		{math.MaxInt64, limit - 1<<35, limit + 1},
	} {
		w := New(0.5)
		if got := w.Read(); got != 0 {
			t.Errorf("an empty window says %d", got)
		}
		for range 200 {
			w.Record(c.record)
		}
		if got, ok := w.Value(); !ok || got < c.low || got > c.high {
			t.Errorf("of %d only: %d, %t, want %d to %d", c.record, got, ok, c.low, c.high)
		}
	}
}

func TestSizeFollowsTheQuantile(t *testing.T) {
	for q, want := range map[float64]int{0.5: 1000, 0.95: 1000, 0.99: 5000, 0.01: 5000, 0.999: 50_000, 1 - 1e-9: 100_000, 1e-300: 100_000} {
		if got := New(q).Size(); got < want-2 || got > want {
			t.Errorf("New(%v).Size() is %d, want %d", q, got, want)
		}
	}
}

// Buckets cover the line without gap or overlap, and none is wider than 1.6% of where it begins.
func FuzzBucket(f *testing.F) {
	for _, ns := range []int64{0, 1, 1023, 1024, 1025, 1 << 20, 1<<42 - 1, 1 << 42, -5, math.MaxInt64} {
		f.Add(ns)
	}
	f.Fuzz(func(t *testing.T, ns int64) {
		octave, i := bucket(ns)
		if octave < 0 || octave >= octaves || i < 0 || i >= subs {
			t.Fatalf("bucket(%d) = %d, %d", ns, octave, i)
		}
		ns = min(max(ns, 0), limit)
		lower, upper := within(octave, i, 0, 1), within(octave, i, 1, 1)
		if lower > max(ns, 1) || upper <= ns {
			t.Errorf("%d is in the bucket from %d to %d", ns, lower, upper)
		}
		if ns >= 1024 && float64(upper-lower) > float64(lower)/63 {
			t.Errorf("the bucket of %d goes from %d to %d", ns, lower, upper)
		}
		if o, j := bucket(upper); upper <= limit && (o*subs+j != octave*subs+i+1) {
			t.Errorf("%d is in bucket %d of octave %d, want the one after %d of %d", upper, j, o, i, octave)
		}
	})
}

// However many record at once, the quantile is one of what was recorded, and hardly a latency is lost.
func TestConcurrentRecords(t *testing.T) {
	w := New(0.9)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			for range 5000 {
				w.Record(int64(10*ms + 10*ms*r.Float64()))
				if v, ok := w.Value(); ok && (v < 10*ms || v > 20.4*ms) {
					t.Errorf("%d, of latencies between 10 and 20 ms", v)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := w.Read(); !near(got, 19*ms, 0.03) {
		t.Errorf("%d, want 19 ms within 3%%", got)
	}
	var counted uint64
	for i := range w.generations {
		for o := range octaves {
			if counts := w.generations[i][o].Load(); counts != nil {
				for b := range counts {
					counted += uint64(counts[b].Load())
				}
			}
		}
	}
	if counted > 1500+16 || counted < 400 { // the third generation may not be empty yet
		t.Errorf("%d latencies are counted, want at most those of three generations", counted)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	w := New(0.95)
	for range 2000 {
		w.Record(5 * ms)
	}
	if got := testing.AllocsPerRun(5000, func() { w.Record(5 * ms); w.Value() }); got != 0 {
		t.Errorf("%v allocations a record, want none", got)
	}
}

func BenchmarkRecord(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 9))
	samples := make([]int64, 1024)
	for i := range samples {
		samples[i] = int64(5 * ms * math.Exp(0.8*r.NormFloat64()))
	}
	w := New(0.95)
	i := 0
	for b.Loop() {
		w.Record(samples[i%1024])
		i++
	}
}

func BenchmarkRead(b *testing.B) {
	r := rand.New(rand.NewPCG(8, 9))
	w := New(0.95)
	for range 2000 {
		w.Record(int64(5 * ms * math.Exp(0.8*r.NormFloat64())))
	}
	for b.Loop() {
		w.Read()
	}
}
