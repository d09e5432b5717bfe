package breaker

import (
	"math"
	"math/rand/v2"
	"testing"
)

func defaultTrip(t *testing.T) Trip {
	t.Helper()
	trip, ok := Shift(0.1, 0.5, 12)
	if !ok {
		t.Fatal("Shift(0.1, 0.5, 12) is refused")
	}
	return trip
}

// callsToTrip feeds results that fail at the given rate and returns how many it took, at most limit.
func callsToTrip(trip *Trip, rate float64, rng *rand.Rand, limit int) int {
	sum := uint64(0)
	for n := 1; n <= limit; n++ {
		if rng.Float64() >= rate {
			sum = trip.success(sum)
			continue
		}
		var trips bool
		if sum, trips = trip.failure(sum); trips {
			return n
		}
	}
	return limit + 1
}

func TestShiftOpensOnADeadDependencyInEightCalls(t *testing.T) {
	trip := defaultTrip(t)
	rng := rand.New(rand.NewPCG(1, 2))
	if n := callsToTrip(&trip, 1, rng, 100); n != 8 {
		t.Errorf("a dependency that always fails trips after %d calls, want 8", n)
	}
}

func TestShiftOpensOnAHalfDeadDependency(t *testing.T) {
	trip := defaultTrip(t)
	rng := rand.New(rand.NewPCG(3, 4))
	const runs = 20000
	sum := 0
	for range runs {
		sum += callsToTrip(&trip, 0.5, rng, 1_000_000)
	}
	if mean := float64(sum) / runs; mean < 22 || mean > 25 {
		t.Errorf("a dependency that fails half of its calls trips after %.1f on average, want about 23", mean)
	}
}

func TestShiftToleratesBackgroundFailures(t *testing.T) {
	trip := defaultTrip(t)
	rng := rand.New(rand.NewPCG(5, 6))
	if n := callsToTrip(&trip, 0.05, rng, 1_000_000); n <= 1_000_000 {
		t.Errorf("5%% background failures tripped at call %d", n)
	}
}

// The fixed point is compared with the formula as it stands in the paper, in floating point.
func TestShiftFollowsTheFormula(t *testing.T) {
	for _, tc := range []struct{ tolerated, bad, threshold float64 }{
		{0.1, 0.5, 12}, {0.001, 0.01, 5}, {0.3, 0.31, 2}, {0.01, 0.99, 700}, {1e-9, 1e-6, 3},
	} {
		trip, ok := Shift(tc.tolerated, tc.bad, tc.threshold)
		if !ok {
			t.Fatalf("Shift(%v) is refused", tc)
		}
		up := math.Log(tc.bad / tc.tolerated)
		down := math.Log((1 - tc.tolerated) / (1 - tc.bad))
		rng := rand.New(rand.NewPCG(7, 8))
		sum, want := uint64(0), 0.0
		for n := range 5000 {
			trips := false
			if rng.Float64() < (tc.tolerated+tc.bad)/2 {
				sum, trips = trip.failure(sum)
				want += up
			} else {
				sum = trip.success(sum)
				want = max(0, want-down)
			}
			if got := float64(sum) / unit; math.Abs(got-want) > 1e-7 {
				t.Fatalf("Shift(%v), call %d: sum is %v, want %v", tc, n, got, want)
			}
			if math.Abs(want-tc.threshold) > 1e-7 && trips != (want >= tc.threshold) {
				t.Fatalf("Shift(%v), call %d: trips is %v at %v", tc, n, trips, want)
			}
			if trips {
				sum, want = 0, 0
			}
		}
	}
}

func TestShiftRefusesWhatHasNoMeaning(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range [][3]float64{
		{0, 0.5, 12}, {0.1, 1, 12}, {0.5, 0.5, 12}, {0.5, 0.1, 12}, {-0.1, 0.5, 12}, {0.1, 1.5, 12},
		{0.1, 0.5, 0}, {0.1, 0.5, -1}, {0.1, 0.5, 2e6}, {0.1, 0.5, inf}, {0.1, 0.5, 1e-300},
		{nan, 0.5, 12}, {0.1, nan, 12}, {0.1, 0.5, nan}, {0.1, math.Nextafter(0.1, 1), 12},
	} {
		if _, ok := Shift(c[0], c[1], c[2]); ok {
			t.Errorf("Shift(%v) is accepted", c)
		}
	}
}

func TestConsecutiveTripsAtTheNthInARow(t *testing.T) {
	for _, n := range []int{1, 2, 5, 1000} {
		trip := Consecutive(n)
		sum := uint64(0)
		for round := range 2 {
			for i := 1; i < n; i++ {
				var trips bool
				if sum, trips = trip.failure(sum); trips {
					t.Fatalf("Consecutive(%d) trips at failure %d", n, i)
				}
			}
			if round == 0 {
				if sum = trip.success(sum); sum != 0 {
					t.Fatalf("Consecutive(%d): a success leaves %d", n, sum)
				}
			}
		}
		if _, trips := trip.failure(sum); !trips {
			t.Errorf("Consecutive(%d) does not trip at the last one", n)
		}
	}
}

// The word is stored only below the limit, but a step beyond it must not overflow into the sealed bit either.
func TestSumsStayClearOfTheSealedBit(t *testing.T) {
	for _, c := range [][3]float64{{math.SmallestNonzeroFloat64, 0.5, MaxThreshold}, {1e-11, 0.999999, MaxThreshold}} {
		trip, ok := Shift(c[0], c[1], c[2])
		if ok && trip.limit+trip.up >= Sealed {
			t.Errorf("Shift(%v): limit %d + step %d reach the sealed bit", c, trip.limit, trip.up)
		}
	}
	if trip := Consecutive(math.MaxInt); trip.limit > Sealed {
		t.Errorf("Consecutive(MaxInt) reaches the sealed bit: %d", trip.limit)
	}
}
