package keyed_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// elsewhere is a gate of no package of ours.
type elsewhere struct{ *bulkhead.Bulkhead }

// kinds has a policy of every kind that a stack tells apart. Each lets a call through.
var kinds = map[string]func(string) mettle.Policy{
	"gate":     newBreaker,
	"retry":    func(string) mettle.Policy { return retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(0)}) },
	"timeout":  func(string) mettle.Policy { return timeout.After(time.Hour) },
	"guest":    func(string) mettle.Policy { return elsewhere{bulkhead.New(bulkhead.Config{Limit: 1})} },
	"function": func(string) mettle.Policy { return mettle.PolicyFunc((&tagged{}).Do) },
	"hedge":    func(string) mettle.Policy { return hedge.New(hedge.Config{Delay: time.Hour}) },
	"stack": func(k string) mettle.Policy {
		return mettle.Compose(retry.New(retry.Config{Attempts: 1}), newBreaker(k), timeout.After(time.Hour))
	},
	"empty stack": func(string) mettle.Policy { return mettle.Compose() },
	"keyed": func(k string) mettle.Policy {
		return keyed.New(keyed.Config[string]{New: newBreaker}).For(k)
	},
}

// Whatever the key's policy is, by itself and in a stack: the value comes back, and so does the pin.
func TestEveryKindRunsBehindAKey(t *testing.T) {
	for name, make := range kinds {
		synctest.Test(t, func(t *testing.T) {
			m := keyed.New(keyed.Config[string]{New: make, Max: 1})
			h := m.For("a")
			for form, p := range map[string]mettle.Policy{
				"alone":    h,
				"in front": mettle.Compose(h, timeout.After(time.Minute)),
				"behind":   mettle.Compose(retry.New(retry.Config{Attempts: 1}), h),
				"between":  mettle.Compose(timeout.After(time.Minute), h, bulkhead.New(bulkhead.Config{Limit: 1})),
			} {
				v, err := mettle.Call(bg, p, func(context.Context) (string, error) {
					if err := m.For("b").Do(bg, nothing); !errors.Is(err, keyed.ErrFull) {
						t.Errorf("%s %s: another key met %v while a is in use", name, form, err)
					}
					return "ok", nil
				})
				if v != "ok" || err != nil {
					t.Errorf("%s %s: Call returned %q, %v", name, form, v, err)
				}
				if err := p.Do(bg, fail); !errors.Is(err, errDown) {
					t.Errorf("%s %s: Do returned %v", name, form, err)
				}
				if err := m.For("b").Do(bg, nothing); err != nil {
					t.Errorf("%s %s: another key met %v when a was free", name, form, err)
				}
			}
		})
	}
}

// A stack behind a key reads the clock as it does by itself: at its entry, and after a New that took its time.
func TestTheClockBehindAKey(t *testing.T) {
	for name, inner := range map[string]mettle.Policy{
		"a timeout": timeout.After(time.Minute),
		"a stack":   mettle.Compose(newBreaker("x"), timeout.After(time.Minute)),
	} {
		synctest.Test(t, func(t *testing.T) {
			m := keyed.New(keyed.Config[string]{Max: 1, New: func(k string) mettle.Policy {
				time.Sleep(30 * time.Second)
				return inner
			}})
			h := m.For("a")
			call(m, "b") // so that a is made within the call
			s := mettle.Compose(timeout.After(time.Hour), h)
			for _, slow := range []time.Duration{30 * time.Second, 0, 0} {
				begun := time.Now()
				left, err := mettle.Call(bg, s, func(ctx context.Context) (time.Duration, error) {
					d, ok := ctx.Deadline()
					if !ok {
						return 0, errors.New("no deadline")
					}
					return d.Sub(begun), nil
				})
				if err != nil || left != slow+time.Minute {
					t.Errorf("%s: the deadline came after %v, %v; want %v", name, left, err, slow+time.Minute)
				}
				time.Sleep(time.Second)
			}
		})
	}
}

// Each attempt finds the key's policy anew, and a rejection is the map's.
func TestARetryAroundAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyed.New(keyed.Config[string]{Max: 1, New: newBreaker})
		held, err := m.Acquire(bg, "a")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { held.Done(nil) })
		rejected := retry.Rule{If: retry.Is(keyed.ErrFull), Attempts: 5, Backoff: retry.Constant(400 * time.Millisecond)}
		s := mettle.Compose(retry.New(retry.Config{Rules: []retry.Rule{rejected}}), m.For("b"))
		begun := time.Now()
		if err := s.Do(bg, nothing); err != nil || time.Since(begun) != 1200*time.Millisecond {
			t.Errorf("let in after %v, %v; want 1.2s", time.Since(begun), err)
		}
	})
}

func TestAcquire(t *testing.T) {
	m := keyed.New(keyed.Config[string]{Max: 1, New: func(k string) mettle.Policy {
		switch k {
		case "retry":
			return retry.New(retry.Config{})
		case "panic":
			return explosive{}
		}
		return bulkhead.New(bulkhead.Config{Name: k, Limit: 1})
	}})
	p, err := m.Acquire(bg, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Acquire(bg, "a"); !errors.Is(err, bulkhead.ErrFull) {
		t.Errorf("the second of a bulkhead with one place: %v", err)
	}
	if _, err := m.Acquire(bg, "b"); !errors.Is(err, keyed.ErrFull) {
		t.Errorf("while a is in use: %v", err)
	}
	p.Done(nil)
	p.Done(nil) // gives nobody else's place back
	q, err := m.Acquire(bg, "a")
	if err != nil {
		t.Fatal(err)
	}
	p.Done(nil)
	if _, err := m.Acquire(bg, "b"); !errors.Is(err, keyed.ErrFull) {
		t.Errorf("after a third Done of another permit: %v", err)
	}
	q.Done(nil)
	_, err = m.Acquire(bg, "retry")
	if !errors.Is(err, keyed.ErrNoGate) || !errors.Is(err, mettle.ErrRejected) || !strings.Contains(err.Error(), "no gate") {
		t.Errorf("of a policy that is no gate: %v", err)
	}
	if got := panics(func() { m.Acquire(bg, "panic") }); got != "acquire" {
		t.Errorf("got the panic %v", got)
	}
	if err := m.For("b").Do(bg, nothing); err != nil {
		t.Errorf("in the end b: %v", err)
	}
}

// explosive is a gate whose every method panics.
type explosive struct{}

func (explosive) Do(context.Context, func(context.Context) error) error { panic("do") }
func (explosive) Acquire(context.Context) (mettle.Permit, error)        { panic("acquire") }
func (explosive) Fresh() bool                                           { return true }

// A breaker behind a key learns how a call through a permit ended.
func TestThePermitTellsTheOutcome(t *testing.T) {
	m := keyed.New(keyed.Config[string]{New: func(string) mettle.Policy {
		return breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	}})
	p, err := m.Acquire(bg, "a")
	if err != nil {
		t.Fatal(err)
	}
	p.Done(errDown)
	if _, err := m.Acquire(bg, "a"); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("after a failure: %v, want that of an open breaker", err)
	}
}
