package breaker

import (
	"fmt"
	"strings"
	"time"

	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// A Window says what Rate looks at and from when on it trips. Exactly one of Calls and Time must be set.
type Window struct {
	// Calls is how many of the latest calls are looked at, 1 to 1048576. 0 means that Time is set.
	Calls int
	// Time is how far back calls are looked at, 1 ms or more. It is divided in 16 parts, of which the oldest is
	// dropped when a new one begins, so that between 15/16 of Time and all of it is covered. 0 means that Calls is set.
	Time time.Duration
	// Min is how many calls have to be in the window for the breaker to trip, at most Calls if that is set. 0 means
	// 20, or Calls if that is less.
	Min int
	// Failures is the share of failed calls that trips, above 0 and at most 1: 0.5 trips at the half. 0 means 0.5, also
	// where Slow is set, since calls that fail quickly are no better. For slow calls alone, make it 1: then only a window of
	// nothing but failures trips as well.
	Failures float64
	// Slow is the share of slow calls that trips, at most 1. Failed calls may be slow too. 0 means that slow calls
	// do not trip. If set, SlowAfter must be.
	Slow float64
	// SlowAfter is from when on a call is slow, 1 µs to 24 h, measured from its admission; a call up to 1024 ns quicker
	// may count as slow. If set, Slow must be. 0 means that calls are not timed.
	SlowAfter time.Duration
}

// Rate trips when too many of the latest calls failed or were slow. It is asked whenever a call is counted, also a
// success. Ignored calls are not in the window. For a w that Window's fields do not allow, Config.Validate has an
// error.
//
// With Slow set, a slow probe fails in half-open, or the breaker would close on a dependency that still
// crawls.
func Rate(w Window) Trip { return Trip{kind: rate, window: w} }

// String returns the window as it is written in Go, without the package and without fields that are 0.
func (w Window) String() string {
	var fields []string
	add := func(set bool, name string, value any) {
		if set {
			fields = append(fields, fmt.Sprintf("%s: %v", name, value))
		}
	}
	add(w.Calls != 0, "Calls", w.Calls)
	add(w.Time != 0, "Time", w.Time)
	add(w.Min != 0, "Min", w.Min)
	add(w.Failures != 0, "Failures", w.Failures)
	add(w.Slow != 0, "Slow", w.Slow)
	add(w.SlowAfter != 0, "SlowAfter", w.SlowAfter)
	return "Window{" + strings.Join(fields, ", ") + "}"
}

const longestSlowAfter = 24 * time.Hour

func (w Window) validate() error {
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("breaker: Config.Trip's Window.%s is %v, want %s", field, value, want)
	}
	switch {
	case w.Calls == 0 && w.Time == 0:
		return bad("Calls", w.Calls, "1 or more, or Window.Time set instead")
	case w.Calls != 0 && w.Time != 0:
		return bad("Time", w.Time, fmt.Sprintf("0 where Window.Calls is set, which is %d", w.Calls))
	case w.Calls < 0 || w.Calls > core.MaxCalls:
		return bad("Calls", w.Calls, fmt.Sprintf("1 to %d, or 0 where Window.Time is set", core.MaxCalls))
	case w.Time != 0 && w.Time < core.MinTime:
		return bad("Time", w.Time, fmt.Sprintf("%v or more, or 0 where Window.Calls is set", core.MinTime))
	case w.Min < 0:
		return bad("Min", w.Min, "0 or more")
	case w.Calls > 0 && w.Min > w.Calls:
		return bad("Min", w.Min, fmt.Sprintf("at most Window.Calls, which is %d", w.Calls))
	case !(w.Failures >= 0 && w.Failures <= 1): // so that NaN is not
		return bad("Failures", w.Failures, "0 to 1")
	case !(w.Slow >= 0 && w.Slow <= 1):
		return bad("Slow", w.Slow, "0 to 1")
	case w.SlowAfter != 0 && (w.SlowAfter < time.Microsecond || w.SlowAfter > longestSlowAfter):
		return bad("SlowAfter", w.SlowAfter, fmt.Sprintf("0, or %v to %v", time.Microsecond, longestSlowAfter))
	case w.Slow > 0 && w.SlowAfter == 0:
		return bad("SlowAfter", w.SlowAfter, fmt.Sprintf("more than 0 where Window.Slow is set, which is %v", w.Slow))
	case w.SlowAfter > 0 && w.Slow == 0:
		return bad("Slow", w.Slow, fmt.Sprintf("more than 0 where Window.SlowAfter is set, which is %v", w.SlowAfter))
	}
	return nil
}

// rate returns what a valid w asks for.
func (w Window) rate() *core.Rate {
	least := 20
	if w.Calls > 0 {
		least = min(least, w.Calls)
	}
	return &core.Rate{
		Calls: w.Calls, Time: w.Time, Min: or(w.Min, least), Failures: or(w.Failures, 0.5), Slow: w.Slow,
	}
}
