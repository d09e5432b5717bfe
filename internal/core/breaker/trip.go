package breaker

import "math"

// unit is the scale of Shift's sum: 2^-40 of a nat, which leaves room for thresholds of a million
// and for steps of rare failures.
const unit = 1 << 40

// MaxThreshold is the largest threshold that Shift accepts.
const MaxThreshold = 1e6

// A Trip is a detector whose state is one sum: a failure adds to it, a success takes off, never below 0, and
// at the limit the breaker opens. The zero Trip stands for none.
type Trip struct {
	up, down, limit uint64
}

// Consecutive trips at the nth failure in a row; n is at least 1.
func Consecutive(n int) Trip {
	return Trip{up: 1, down: math.MaxUint64, limit: uint64(n)}
}

// Shift trips when the failure rate has shifted from tolerated to bad: Page's cumulative sum of the
// log-likelihood ratio between the two. It reports false if not 0 < tolerated < bad < 1, if threshold is not
// within (0, MaxThreshold], or if the rates are so close that a call would count for nothing.
func Shift(tolerated, bad, threshold float64) (Trip, bool) {
	// Written so that NaN fails each.
	if !(0 < tolerated && tolerated < bad && bad < 1) || !(0 < threshold && threshold <= MaxThreshold) {
		return Trip{}, false
	}
	t := Trip{
		up:    fixed(math.Log(bad) - math.Log(tolerated)),
		down:  fixed(math.Log1p(-tolerated) - math.Log1p(-bad)),
		limit: fixed(threshold),
	}
	return t, t.up > 0 && t.down > 0 && t.limit > 0
}

func fixed(x float64) uint64 { return uint64(math.Round(x * unit)) }

// failure returns the sum after a failure and whether it trips.
func (t *Trip) failure(sum uint64) (uint64, bool) {
	sum += t.up
	return sum, sum >= t.limit
}

// success returns the sum after a success.
func (t *Trip) success(sum uint64) uint64 {
	if sum <= t.down {
		return 0
	}
	return sum - t.down
}
