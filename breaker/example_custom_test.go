package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/mettle-go/mettle/breaker"
)

// hangs trips at the nth timeout in a row. Other failures are none of its business.
type hangs struct {
	n   int64
	row atomic.Int64
}

func (h *hangs) Trips(o breaker.Outcome) bool {
	if !errors.Is(o.Err, context.DeadlineExceeded) {
		h.row.Store(0)
		return false
	}
	return h.row.Add(1) >= h.n
}

func ExampleCustom() {
	b := breaker.New(breaker.Config{Trip: breaker.Custom(func() breaker.Detector { return &hangs{n: 3} })})
	late := context.DeadlineExceeded
	for _, err := range []error{errDown, errDown, errDown, late, late, nil, late, late, late} {
		b.Do(context.Background(), func(context.Context) error { return err })
		fmt.Print(b.State(), " ")
	}
	// Output: closed closed closed closed closed closed closed closed open
}

var errCorrupt = errors.New("corrupt answer")

// weighted keeps a score: a corrupt answer weighs as much as ten other failures, and a success takes one off.
type weighted struct{ score atomic.Int64 }

func (w *weighted) Trips(o breaker.Outcome) bool {
	weight := int64(1)
	switch {
	case !o.Failed:
		weight = -1
	case errors.Is(o.Err, errCorrupt):
		weight = 10
	}
	for {
		score := w.score.Load()
		next := max(score+weight, 0)
		if w.score.CompareAndSwap(score, next) {
			return next >= 20
		}
	}
}

func ExampleDetector() {
	b := breaker.New(breaker.Config{Trip: breaker.Custom(func() breaker.Detector { return new(weighted) })})
	calls := 0
	for b.State() == breaker.Closed {
		calls++
		b.Do(context.Background(), func(context.Context) error {
			if calls%5 == 0 {
				return errCorrupt
			}
			return nil
		})
	}
	fmt.Println("opened after", calls, "calls of which one in 5 was corrupt")
	// Output: opened after 15 calls of which one in 5 was corrupt
}
