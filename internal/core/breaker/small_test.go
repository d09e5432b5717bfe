package breaker

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What the manual says of windows that are too small for what they are to tell: how many calls, of which 5% fail, it takes until they
// trip.
func TestWhatTheManualSaysOfSmallWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, tc := range []struct {
		rate Rate
		want float64
		runs int
	}{
		{Rate{Calls: 10, Min: 10, Failures: 0.5}, 36_000, 400},
		{Rate{Calls: 4, Min: 4, Failures: 0.5}, 160, 10_000},
	} {
		sum := 0
		for range tc.runs {
			w := tc.rate.Begin(0)
			for n := 1; ; n++ {
				if w.Count(0, rng.Float64() < 0.05, false) {
					sum += n
					break
				}
			}
		}
		if got := float64(sum) / float64(tc.runs); math.Abs(got-tc.want) > 4*tc.want/math.Sqrt(float64(tc.runs)) {
			t.Errorf("%+v trips after %.0f calls on average, the manual says %v", tc.rate, got, tc.want)
		}
	}
}
