package stats

import (
	"slices"
	"testing"
)

func TestQuartiles(t *testing.T) {
	for _, c := range []struct {
		values            []float64
		low, median, high float64
	}{
		{[]float64{7}, 7, 7, 7},
		{[]float64{2, 1}, 1.25, 1.5, 1.75},
		{[]float64{3, 1, 2}, 1.5, 2, 2.5},
		{[]float64{5, 4, 3, 2, 1}, 2, 3, 4},
		{[]float64{1, 1000, 1, 1, 1}, 1, 1, 1},
	} {
		before := slices.Clone(c.values)
		low, median, high := Quartiles(c.values)
		if low != c.low || median != c.median || high != c.high {
			t.Errorf("quartiles of %v are %v, %v, %v, want %v, %v, %v", c.values, low, median, high, c.low, c.median, c.high)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("quartiles changed their input %v to %v", before, c.values)
		}
	}
}

func TestRotatedGivesEveryoneEveryPlace(t *testing.T) {
	for n := 1; n <= 5; n++ {
		places := make(map[[2]int]bool)
		for round := range n {
			order := Rotated(n, round)
			if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, Rotated(n, 0)) {
				t.Fatalf("round %d of %d is %v, want everyone once", round, n, order)
			}
			for place, who := range order {
				places[[2]int{place, who}] = true
			}
		}
		if len(places) != n*n {
			t.Errorf("of %d contenders not everyone had every place: %v", n, places)
		}
	}
}
