package breaker

import (
	"fmt"

	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// A Trip decides when a closed breaker opens. It is an immutable value, made by Shift or Consecutive, and may
// be shared; the zero Trip means Shift(0.1, 0.5, 12).
type Trip struct {
	kind                      tripKind
	n                         int
	tolerated, bad, threshold float64
}

type tripKind uint8

const (
	unset tripKind = iota
	consecutive
	shift
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

// String returns the trip as it is written in Go, without the package.
func (t Trip) String() string {
	switch t.kind {
	case consecutive:
		return fmt.Sprintf("Consecutive(%d)", t.n)
	case shift:
		return fmt.Sprintf("Shift(%v, %v, %v)", t.tolerated, t.bad, t.threshold)
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
	case shift:
		if _, ok := core.Shift(t.tolerated, t.bad, t.threshold); !ok {
			return fmt.Errorf("breaker: Config.Trip is %v, want 0 < tolerated < bad < 1, rates not too close to tell apart, and 0 < threshold <= %v", t, float64(core.MaxThreshold))
		}
	}
	return nil
}

// detector returns what a valid t does.
func (t Trip) detector() core.Trip {
	switch t.kind {
	case consecutive:
		return core.Consecutive(t.n)
	case shift:
		detector, _ := core.Shift(t.tolerated, t.bad, t.threshold)
		return detector
	default:
		return Shift(0.1, 0.5, 12).detector()
	}
}
