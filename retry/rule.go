package retry

import (
	"errors"
	"fmt"

	core "github.com/mettle-go/mettle/internal/core/retry"
)

// A Rule says what is different for errors of one kind. The first of Config.Rules whose If matches decides; it is asked
// before Classify, and also about rejections by inner policies, which are retried only so.
type Rule struct {
	// If reports whether the rule is for err. It must be set, and safe for concurrent use. On and Is make such functions.
	If func(err error) bool
	// Stop means that such an error is not retried. The other fields must then be zero.
	Stop bool
	// Attempts is how many attempts may fail with such an error. These then count for themselves: neither do others use up
	// these attempts nor these those of others. 0 means Config.Attempts, counted together with all others; -1 means no limit (then
	// Config.MaxElapsed is required).
	Attempts int
	// Backoff says how long to wait after such an error. The zero Backoff means Config.Backoff.
	Backoff Backoff
	// Cost is how many of the budget's tokens a retry after such an error takes. 0 means 1. A retry after a rejection takes
	// none, since the rejected attempt was no load.
	Cost int
}

// On returns a function for Rule.If that matches errors with an E in their tree, as errors.As finds it.
func On[E error]() func(error) bool {
	return func(err error) bool {
		_, ok := errors.AsType[E](err)
		return ok
	}
}

// Is returns a function for Rule.If that matches errors that are one of the targets, as errors.Is finds it. It panics if there is none, or
// one is nil.
func Is(targets ...error) func(error) bool {
	if len(targets) == 0 {
		panic("retry: Is of no errors, want 1 or more")
	}
	for i, target := range targets {
		if target == nil {
			panic(fmt.Sprintf("retry: Is: error %d is nil, want an error", i+1))
		}
	}
	targets = append([]error(nil), targets...)
	return func(err error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
}

func (r Rule) validate(i int) error {
	field := fmt.Sprintf("retry: Config.Rules[%d].", i)
	switch {
	case r.If == nil:
		return fmt.Errorf("%sIf is nil, want a function", field)
	case r.Attempts < -1:
		return fmt.Errorf("%sAttempts is %d, want -1 or more", field, r.Attempts)
	case r.Cost < 0:
		return fmt.Errorf("%sCost is %d, want 0 or more", field, r.Cost)
	case r.Stop && (r.Attempts != 0 || r.Cost != 0 || r.Backoff != (Backoff{})):
		return fmt.Errorf("%sStop is true and other fields are set, want either", field)
	}
	return r.Backoff.validate(field + "Backoff")
}

// kinds returns rules as the core knows them.
func kinds(rules []Rule) []core.Kind {
	kinds := make([]core.Kind, len(rules))
	for i, r := range rules {
		kinds[i] = core.Kind{Stop: r.Stop, Attempts: r.Attempts}
		if r.Backoff != (Backoff{}) {
			s := r.Backoff.schedule()
			kinds[i].Backoff = &s
		}
	}
	return kinds
}

// kind returns the number of the rule for err, from 1, or 0 if there is none.
func (p *Policy) kind(err error) int {
	for i := range p.rules {
		if p.rules[i].If(err) {
			return i + 1
		}
	}
	return 0
}
