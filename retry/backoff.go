package retry

import (
	"fmt"
	"math"
	"time"

	"github.com/mettle-go/mettle/internal/core/backoff"
)

// A Backoff says how long to wait between attempts. The zero Backoff is the default; Constant, Linear, Sequence and
// Func make other shapes. Waits are capped by Max before jitter, and their arithmetic saturates.
type Backoff struct {
	// Base is the wait after the first attempt, before jitter. 0 means 100 ms.
	Base time.Duration
	// Factor multiplies the wait after each further attempt. It must be 1 or more; 0 means 2.
	Factor float64
	// Max bounds a wait before jitter. It must not be below Base; 0 means 30 s, or Base if that is longer.
	Max time.Duration
	// Jitter spreads the waits. The zero value is FullJitter.
	Jitter Jitter

	made *backoff.Schedule // by a maker, instead of the fields above
}

// Jitter says how waits are randomized: FullJitter, EqualJitter, NoJitter, Decorrelated, or made by Spread.
type Jitter struct {
	kind  backoff.Jitter
	ratio float64
}

// The kinds of jitter for a wait of d; see also Spread.
var (
	FullJitter   = Jitter{kind: backoff.Full}         // uniform in [0, d]
	EqualJitter  = Jitter{kind: backoff.Equal}        // uniform in [d/2, d]
	NoJitter     = Jitter{kind: backoff.None}         // d
	Decorrelated = Jitter{kind: backoff.Decorrelated} // uniform in [Base, 3·previous wait], at most Max; no Factor
)

// Spread returns the jitter that draws uniformly from d·(1-ratio) to d·(1+ratio): Spread(0.25) is ±25%. It panics unless
// ratio is in (0, 1].
func Spread(ratio float64) Jitter {
	if !(ratio > 0 && ratio <= 1) {
		panic(fmt.Sprintf("retry: Spread of %v, want more than 0 and at most 1", ratio))
	}
	return Jitter{kind: backoff.Spread, ratio: ratio}
}

// Constant returns a backoff that always waits d, without jitter. Constant(0) does not wait. It panics if d is negative.
func Constant(d time.Duration) Backoff { return Sequence(d) }

// Linear returns a backoff that waits d, 2d, 3d and so on, at most max, without jitter. It panics unless 0 < d <= max.
func Linear(d, max time.Duration) Backoff {
	if d <= 0 || max < d {
		panic(fmt.Sprintf("retry: Linear of %v at most %v, want 0 < d <= max", d, max))
	}
	return Backoff{made: &backoff.Schedule{Kind: backoff.Linear, Base: d, Max: max, Jitter: backoff.None}}
}

// Sequence returns a backoff of the given waits, the last of them from then on, without jitter. It panics if there is none or one
// is negative.
func Sequence(waits ...time.Duration) Backoff {
	if len(waits) == 0 {
		panic("retry: Sequence of no waits, want 1 or more")
	}
	for i, d := range waits {
		if d < 0 {
			panic(fmt.Sprintf("retry: wait %d is %v, want 0 or more", i+1, d))
		}
	}
	return Backoff{made: &backoff.Schedule{
		Kind: backoff.Sequence, Steps: append([]time.Duration(nil), waits...), Max: math.MaxInt64, Jitter: backoff.None,
	}}
}

// Func returns a backoff that waits f(n) after the n-th failed attempt, n from 1. A negative result means no wait. The function
// must be safe for concurrent use. Func panics if f is nil.
func Func(f func(n int) time.Duration) Backoff {
	if f == nil {
		panic("retry: Func of nil, want a function")
	}
	return Backoff{made: &backoff.Schedule{Kind: backoff.Custom, Func: f, Max: math.MaxInt64, Jitter: backoff.None}}
}

// WithJitter returns b with jitter j, for the makers above. Decorrelated, which has a shape of its own, panics
// there.
func (b Backoff) WithJitter(j Jitter) Backoff {
	if b.made == nil {
		b.Jitter = j
		return b
	}
	if j.kind == backoff.Decorrelated {
		panic("retry: WithJitter(Decorrelated) on a made backoff, want Backoff{Base, Max, Jitter: Decorrelated}")
	}
	made := *b.made
	made.Jitter, made.Ratio = j.kind, j.ratio
	b.made = &made
	return b
}

// validate checks b, which is the field of that name.
func (b Backoff) validate(field string) error {
	if b.made != nil {
		if b.Base != 0 || b.Factor != 0 || b.Max != 0 || b.Jitter != (Jitter{}) {
			return fmt.Errorf("%s is made by Constant, Linear, Sequence or Func and has fields set too, want one of them", field)
		}
		return nil
	}
	switch {
	case b.Base < 0:
		return fmt.Errorf("%s.Base is %v, want 0 or more", field, b.Base)
	case b.Factor != 0 && !(b.Factor >= 1):
		return fmt.Errorf("%s.Factor is %v, want 0 or at least 1", field, b.Factor)
	case b.Max < 0:
		return fmt.Errorf("%s.Max is %v, want 0 or more", field, b.Max)
	case b.Max != 0 && b.Max < b.base():
		return fmt.Errorf("%s.Max is %v, want at least Base, which is %v", field, b.Max, b.base())
	}
	return nil
}

func (b Backoff) base() time.Duration {
	if b.Base == 0 {
		return 100 * time.Millisecond
	}
	return b.Base
}

// schedule returns b with its defaults filled in, for the core.
func (b Backoff) schedule() backoff.Schedule {
	if b.made != nil {
		return *b.made
	}
	s := backoff.Schedule{Base: b.base(), Factor: b.Factor, Max: b.Max, Jitter: b.Jitter.kind, Ratio: b.Jitter.ratio}
	if s.Factor == 0 {
		s.Factor = 2
	}
	if s.Max == 0 {
		s.Max = max(30*time.Second, s.Base)
	}
	return s
}
