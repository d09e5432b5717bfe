package mettlehttp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/mettletest"
)

func held(o mettle.Observer, d, maxWait time.Duration) *hold {
	c := Config{Observer: o, MaxHold: maxWait}.withDefaults()
	h := newHold("a.test", &c)
	if d > 0 {
		h.extend(clock.Now().Add(d))
	}
	return h
}

func TestHoldKeepsTheContractOfAGate(t *testing.T) {
	mettletest.TestGate(t, mettletest.Config{
		New: func(o mettle.Observer) mettle.Policy { return held(o, 0, time.Hour) },
		Rejecting: func(o mettle.Observer) mettle.Policy {
			return held(o, 1000*time.Hour, time.Hour)
		},
	})
}

// Waiters come after the end and within a tenth of it, also when the hold is prolonged meanwhile; a shorter hold does not cut a longer one.
func TestHoldIsProlonged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := held(nil, 10*time.Second, time.Hour)
		begin := time.Now()
		time.AfterFunc(5*time.Second, func() { h.extend(clock.Now().Add(95 * time.Second)) })
		time.AfterFunc(6*time.Second, func() { h.extend(clock.Now().Add(time.Second)) })
		ends := make(chan time.Duration)
		for range 50 {
			go func() {
				if _, err := h.Acquire(context.Background()); err != nil {
					t.Error(err)
				}
				ends <- time.Since(begin)
			}()
		}
		first, last := time.Hour, time.Duration(0)
		for range 50 {
			d := <-ends
			first, last = min(first, d), max(last, d)
		}
		if first < 100*time.Second || last > 109*time.Second || last-first < 2*time.Second {
			t.Errorf("the waiters came between %v and %v, want them spread from 100s on", first, last)
		}
		if !h.Fresh() || h.Describe().State != "" {
			t.Errorf("after the end: %+v", h.Describe())
		}
	})
}
