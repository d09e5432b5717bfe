// Package stats sums up samples.
package stats

import (
	"slices"
)

// Quartiles returns the lower quartile, the median and the upper quartile of values, interpolated between neighbors. It
// panics if there are none.
func Quartiles(values []float64) (low, median, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	return quantile(sorted, 0.25), quantile(sorted, 0.5), quantile(sorted, 0.75)
}

// Median returns the median of values. It panics if there are none.
func Median(values []float64) float64 {
	_, m, _ := Quartiles(values)
	return m
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below == len(sorted)-1 {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Rotated returns the numbers from 0 to n-1, beginning with round modulo n: whoever is first in one round is last in the
// next, so that no contender always runs on what the same one left behind.
func Rotated(n, round int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (round + i) % n
	}
	return order
}
