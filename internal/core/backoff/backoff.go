// Package backoff computes how long to wait between attempts: pure arithmetic on integers and floats,
// with randomness as an argument. It saturates: no input yields a negative wait, and none overflows.
package backoff

import (
	"math"
	"math/bits"
	"time"
)

// Kind says how waits grow.
type Kind uint8

const (
	Exponential Kind = iota // Base·Factor^(n-1)
	Linear                  // Base·n
	Sequence                // Steps[n-1], the last one for ever
	Custom                  // Func(n)
)

// Jitter says how a wait is randomized.
type Jitter uint8

const (
	Full         Jitter = iota // uniform in [0, d]
	None                       // d
	Equal                      // uniform in [d/2, d]
	Spread                     // uniform in [d·(1-Ratio), d·(1+Ratio)]
	Decorrelated               // uniform in [Base, 3·previous], at most Max
)

// A Schedule is the rule by which waits follow each other. The zero Schedule never waits.
type Schedule struct {
	Kind   Kind
	Base   time.Duration
	Factor float64
	Max    time.Duration // of a wait before jitter
	Steps  []time.Duration
	Func   func(n int) time.Duration

	Jitter Jitter
	Ratio  float64 // of Spread
}

// Wait returns the wait after the n-th failed attempt, n from 1. It takes the wait before, prev (0 if
// none), and u, uniform over all uint64.
func (s *Schedule) Wait(n int, prev time.Duration, u uint64) time.Duration {
	if s.Jitter == Decorrelated {
		most := max(s.Max, 0)
		low := min(max(s.Base, 0), most)
		high := saturated(3 * float64(max(prev, low)))
		return min(Uniform(low, high, u), most)
	}
	d := s.plain(n)
	if d <= 0 {
		return 0
	}
	switch s.Jitter {
	case None:
		return d
	case Equal:
		return Uniform(d/2, d, u)
	case Spread:
		by := saturated(s.Ratio * float64(d))
		return Uniform(d-min(by, d), Sum(d, by), u)
	default:
		return Uniform(0, d, u)
	}
}

// plain is the wait before jitter, at most Max.
func (s *Schedule) plain(n int) time.Duration {
	switch s.Kind {
	case Sequence:
		if len(s.Steps) == 0 {
			return 0
		}
		return min(s.Steps[min(max(n, 1), len(s.Steps))-1], s.Max)
	case Custom:
		return min(s.Func(n), s.Max)
	case Linear:
		return min(saturated(float64(s.Base)*float64(n)), s.Max)
	default:
		if s.Base <= 0 {
			return 0 // before 0·Inf becomes NaN
		}
		return min(saturated(float64(s.Base)*math.Pow(s.Factor, float64(n-1))), s.Max)
	}
}

// Uniform maps u, uniform over all uint64, to a duration uniform in [low, high]. Both are at least 0; if high is below
// low, the result is low.
func Uniform(low, high time.Duration, u uint64) time.Duration {
	if high <= low {
		return low
	}
	// Lemire's multiply-shift, without the rejection step: the bias is below span/2^64.
	offset, _ := bits.Mul64(u, uint64(high-low)+1)
	return low + time.Duration(offset)
}

// Sum returns a+b for non-negative a and b, or the longest duration.
func Sum(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// saturated converts f to a duration in [0, MaxInt64]. NaN counts as too large: waiting Max is safer than not
// waiting.
func saturated(f float64) time.Duration {
	switch {
	case f <= 0:
		return 0
	case f < math.MaxInt64:
		return time.Duration(f)
	default:
		return math.MaxInt64
	}
}
