package breaker

import (
	"fmt"

	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// A Trip decides when a closed breaker opens. It is an immutable value, made by Shift, Consecutive, Rate or
// Custom, and may be shared; the zero Trip means Shift(0.1, 0.5, 12).
type Trip struct {
	kind                      tripKind
	n                         int
	tolerated, bad, threshold float64
	window                    Window
	custom                    func() Detector
}

type tripKind uint8

const (
	unset tripKind = iota
	consecutive
	shift
	rate
	custom
)

// Consecutive trips at the nth failure in a row. A success begins the count anew, an ignored call leaves it
// as it is. For an n below 1, Config.Validate has an error.
func Consecutive(n int) Trip { return Trip{kind: consecutive, n: n} }

// Shift trips when the rate of failures has shifted from tolerated towards bad. The threshold says how sure
// it has to be, in nats of likelihood; see the package's description for the formula and for what the default
// (0.1, 0.5, 12) achieves.
//
// Rates in between bad and tolerated trip too, if later. For Config.Validate to accept it, tolerated must be
// above 0, bad above tolerated and below 1, and threshold above 0 and at most a million.
func Shift(tolerated, bad, threshold float64) Trip {
	return Trip{kind: shift, tolerated: tolerated, bad: bad, threshold: threshold}
}

// Custom trips when a Detector says so. The function makes one for each closed period, so that nothing of an
// earlier one leaks in; it must be safe for concurrent use and may be called more often than periods begin. Where
// it panics, New does, or the call that was about to close the breaker. For nil, Config.Validate has an error.
//
// Every call is timed, which costs two clock reads.
func Custom(detector func() Detector) Trip { return Trip{kind: custom, custom: detector} }

// String returns the trip as it is written in Go, without the package.
func (t Trip) String() string {
	switch t.kind {
	case consecutive:
		return fmt.Sprintf("Consecutive(%d)", t.n)
	case shift:
		return fmt.Sprintf("Shift(%v, %v, %v)", t.tolerated, t.bad, t.threshold)
	case rate:
		return fmt.Sprintf("Rate(%v)", t.window)
	case custom:
		if t.custom == nil {
			return "Custom(nil)"
		}
		return "Custom(func)"
	default:
		return Shift(0.1, 0.5, 12).String()
	}
}

func (t Trip) validate() error {
	switch t.kind {
	case consecutive:
		if t.n < 1 {
			return fmt.Errorf("breaker: Config.Trip is %v, want 1 or more", t)
		}
	case rate:
		return t.window.validate()
	case custom:
		if t.custom == nil {
			return fmt.Errorf("breaker: Config.Trip is %v, want a function", t)
		}
	case shift:
		if _, ok := core.Shift(t.tolerated, t.bad, t.threshold); !ok {
			return fmt.Errorf("breaker: Config.Trip is %v, want 0 < tolerated < bad < 1, rates not too close to tell apart, and 0 < threshold <= %v", t, float64(core.MaxThreshold))
		}
	}
	return nil
}

// sum returns what a valid t does in the word of a period, or the zero Trip if it does nothing there.
func (t Trip) sum() core.Trip {
	switch t.kind {
	case consecutive:
		return core.Consecutive(t.n)
	case shift:
		detector, _ := core.Shift(t.tolerated, t.bad, t.threshold)
		return detector
	case rate, custom:
		return core.Trip{}
	default:
		return Shift(0.1, 0.5, 12).sum()
	}
}
