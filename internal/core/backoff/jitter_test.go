package backoff

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const draws = 200_000

// sample draws n waits with a fixed seed, sorted.
func sample(n int, next func(u uint64) time.Duration) []float64 {
	rng := rand.New(rand.NewPCG(1, 2))
	waits := make([]float64, n)
	for i := range waits {
		waits[i] = float64(next(rng.Uint64()))
	}
	slices.Sort(waits)
	return waits
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

func quantile(sorted []float64, q float64) float64 { return sorted[int(q*float64(len(sorted)))] }

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s is %.4g, want %.4g ± %.2g", what, got, want, tolerance)
	}
}

func TestJitterDistributions(t *testing.T) {
	const d = float64(time.Second)
	s := Schedule{Base: time.Second, Factor: 1, Max: time.Hour, Ratio: 0.25}
	for _, c := range []struct {
		name      string
		jitter    Jitter
		low, high float64 // uniform between them: the closed form of every quantile
	}{
		{"full", Full, 0, d},
		{"none", None, d, d},
		{"equal", Equal, d / 2, d},
		{"spread", Spread, 0.75 * d, 1.25 * d},
		{"decorrelated, first wait", Decorrelated, d, 3 * d},
	} {
		s.Jitter = c.jitter
		waits := sample(draws, func(u uint64) time.Duration { return s.Wait(1, 0, u) })
		span := c.high - c.low
		near(t, c.name+": mean", mean(waits), (c.low+c.high)/2, 0.005*span)
		for q := 0.1; q < 0.95; q += 0.1 {
			near(t, c.name+": quantile", quantile(waits, q), c.low+q*span, 0.01*span)
		}
	}
}

// What package retry tells of herds: the mean grows by half each step, the median by about a tenth.
func TestDecorrelatedMedianGrowsSlowerThanMean(t *testing.T) {
	s := Schedule{Base: 1000, Max: math.MaxInt64, Jitter: Decorrelated}
	const steps = 12
	rng := rand.New(rand.NewPCG(3, 4))
	var means, medians [steps]float64
	waits := make([][]float64, steps)
	for range draws {
		var prev time.Duration
		for i := range steps {
			prev = s.Wait(i+1, prev, rng.Uint64())
			waits[i] = append(waits[i], float64(prev))
		}
	}
	want := 1000.0 * 2 // the mean of the first wait
	for i := range steps {
		slices.Sort(waits[i])
		means[i], medians[i] = mean(waits[i]), quantile(waits[i], 0.5)
		if i > 0 {
			want = 500 + 1.5*want
		}
		near(t, "mean", means[i]/want, 1, 0.05)
	}
	// Far above Base a step multiplies by 3·U, whose logarithm has the mean ln 3 - 1: e^0.0986 = 1.104.
	perStep := math.Pow(medians[steps-1]/medians[5], 1.0/(steps-6))
	if perStep < 1.05 || perStep > 1.25 {
		t.Errorf("the median grows by %.3f a step, want about 1.1", perStep)
	}
}

func TestDecorrelatedIsCappedAfterTheDraw(t *testing.T) {
	s := Schedule{Base: time.Second, Max: 2 * time.Second, Jitter: Decorrelated}
	waits := sample(draws, func(u uint64) time.Duration { return s.Wait(1, 0, u) })
	// Half of the draws from 1 s to 3 s lie above the cap.
	near(t, "quantile 0.25", quantile(waits, 0.25), 1.5e9, 0.02e9)
	near(t, "quantile 0.55", quantile(waits, 0.55), 2e9, 0)
	near(t, "mean", mean(waits), 1.75e9, 0.01e9)
}

// What jitter is for: clients that failed at one moment come back in all moments alike.
func TestHerdIsSpreadEvenly(t *testing.T) {
	s := Schedule{Base: time.Second, Factor: 2, Max: time.Minute}
	const clients, slots = 10_000, 50
	var arrivals [slots]int
	rng := rand.New(rand.NewPCG(5, 6))
	for range clients {
		d := s.Wait(3, 0, rng.Uint64()) // up to 4 s
		arrivals[min(int(d*slots/(4*time.Second)), slots-1)]++
	}
	for i, n := range arrivals {
		if n < 140 || n > 270 { // the mean is 200, the standard deviation 14
			t.Errorf("%d of %d clients come back in slot %d of %d", n, clients, i, slots)
		}
	}
}
