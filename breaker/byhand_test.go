package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

// in returns a breaker in the given state, one failure from opening if it is closed.
func in(t *testing.T, state breaker.State, c breaker.Config) *breaker.Breaker {
	t.Helper()
	c.Trip, c.Cooldown, c.Successes = breaker.Consecutive(2), time.Second, 2
	b := breaker.New(c)
	switch state {
	case breaker.Closed:
		b.Do(bg, down)
	case breaker.Open, breaker.HalfOpen:
		trip(t, b)
		if state == breaker.HalfOpen {
			time.Sleep(time.Second)
			b.Do(bg, nothing)
		}
	case breaker.ForcedOpen:
		b.ForceOpen()
	case breaker.Disabled:
		b.Disable()
	case breaker.Observing:
		b.ObserveOnly()
	}
	wantState(t, b, state)
	return b
}

var states = []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen, breaker.ForcedOpen, breaker.Disabled, breaker.Observing}

var turns = []struct {
	name string
	turn func(*breaker.Breaker)
	to   breaker.State
}{
	{"ForceOpen", (*breaker.Breaker).ForceOpen, breaker.ForcedOpen},
	{"Disable", (*breaker.Breaker).Disable, breaker.Disabled},
	{"ObserveOnly", (*breaker.Breaker).ObserveOnly, breaker.Observing},
	{"Reset", (*breaker.Breaker).Reset, breaker.Closed},
}

func TestByHandFromAnyState(t *testing.T) {
	for _, from := range states {
		for _, tc := range turns {
			t.Run(fmt.Sprint(tc.name, " from ", from), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var events []mettle.Event
					b := in(t, from, breaker.Config{Observer: func(ctx context.Context, e mettle.Event) {
						if e.Kind == mettle.StateChanged && (e.To == tc.to.String() && e.From == from.String()) {
							if e.Err != nil || ctx != bg {
								t.Errorf("the event has the error %v and the context %v", e.Err, ctx)
							}
						}
						events = append(events, e)
					}})
					// A call under way, unless it would be rejected.
					late, err := b.Acquire(bg)
					admitted := err == nil
					time.Sleep(time.Second / 2)
					events = nil
					tc.turn(b)
					wantState(t, b, tc.to)
					want := []mettle.Event{{Kind: mettle.StateChanged, Policy: "breaker", From: from.String(), To: tc.to.String()}}
					if from == tc.to {
						want = nil
					} else if len(events) == 1 {
						want[0].After, want[0].Calls, want[0].Failures = events[0].After, events[0].Calls, events[0].Failures
					}
					if !slices.Equal(events, want) {
						t.Errorf("the events are %+v, want %+v", events, want)
					}
					if from == breaker.HalfOpen && (events[0].After != time.Second/2 || events[0].Calls != 1) {
						t.Errorf("the event says %v and %d calls, want 500ms and 1", events[0].After, events[0].Calls)
					}
					before := metric(t, b, "calls")
					if admitted {
						late.Done(errDown)
						if got := metric(t, b, "calls"); from != tc.to && got != before {
							t.Error("the result of a call begun before counts")
						}
					}
					wantState(t, b, tc.to)
					b.Reset()
					b.Do(bg, down) // the first of two
					wantState(t, b, breaker.Closed)
					if left := trip(t, b); left != 1 {
						t.Errorf("%d more failures open it, want 1", left)
					}
					if d, ok := wantRejected(t, b).RetryAfter(); d != time.Second || !ok {
						t.Errorf("the cooldown is %v, %v, want the first one", d, ok)
					}
				})
			})
		}
	}
}

func TestForcedOpenRejectsForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		for _, observer := range []mettle.Observer{nil, func(_ context.Context, e mettle.Event) {
			if e.Kind == mettle.Rejected {
				waits = append(waits, e.Wait)
			}
		}} {
			b := breaker.New(breaker.Config{Observer: observer})
			b.ForceOpen()
			for range 100 {
				if d, ok := wantRejected(t, b).RetryAfter(); d != 0 || ok {
					t.Fatalf("RetryAfter is %v, %v, want unknown", d, ok)
				}
				time.Sleep(time.Hour)
			}
			wantState(t, b, breaker.ForcedOpen)
			if got := metric(t, b, "rejections"); got != 100 {
				t.Errorf("%v rejections, want 100", got)
			}
			b.Reset()
			if err := b.Do(bg, nothing); err != nil {
				t.Errorf("after Reset: %v", err)
			}
		}
		if len(waits) != 100 || slices.Max(waits) != 0 {
			t.Errorf("the events wait for %v", waits)
		}
	})
}

func TestDisabledAdmitsAndCounts(t *testing.T) {
	for _, trip := range []breaker.Trip{breaker.Consecutive(1), breaker.Rate(breaker.Window{Calls: 1}), breaker.Custom(newStrict)} {
		b := breaker.New(breaker.Config{Trip: trip})
		b.Disable()
		for range 1000 {
			if err := b.Do(bg, down); err != errDown {
				t.Fatalf("%v: got %v", trip, err)
			}
		}
		wantState(t, b, breaker.Disabled)
		b.Do(bg, nothing)
		if calls, failures, trips := metric(t, b, "calls"), metric(t, b, "failures"), metric(t, b, "trips"); calls != 1001 || failures != 1000 || trips != 0 {
			t.Errorf("%v: %v calls, %v failures, %v trips", trip, calls, failures, trips)
		}
	}
}

// strict trips at the first failure.
type strict struct{}

func newStrict() breaker.Detector { return strict{} }

func (strict) Trips(o breaker.Outcome) bool { return o.Failed }

func TestObserveOnlyTellsWhenItWouldHaveOpened(t *testing.T) {
	for name, trip := range map[string]breaker.Trip{
		"sum": breaker.Consecutive(3), "calls": breaker.Rate(breaker.Window{Calls: 4, Min: 4, Failures: 0.75}),
		"time": breaker.Rate(breaker.Window{Time: time.Hour, Min: 4, Failures: 0.75}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events []mettle.Event
				b := breaker.New(breaker.Config{Trip: trip, Observer: func(_ context.Context, e mettle.Event) { events = append(events, e) }})
				b.Do(bg, down) // while closed: not seen by what follows
				b.ObserveOnly()
				events = nil
				for range 3 {
					early, _ := b.Acquire(bg)
					time.Sleep(time.Second)
					for _, fn := range []func(context.Context) error{nothing, down, down, down} {
						if err := b.Do(bg, fn); errors.Is(err, mettle.ErrRejected) {
							t.Fatal("it rejects")
						}
					}
					early.Done(errDown) // begun before the trip
				}
				want := mettle.Event{
					Kind: mettle.StateChanged, Policy: "breaker", From: "observe-only", To: "observe-only",
					After: time.Second, Calls: 4, Failures: 3, Err: errDown,
				}
				if !slices.Equal(events, []mettle.Event{want, want, want}) {
					t.Errorf("the events are %+v, want three times %+v", events, want)
				}
				wantState(t, b, breaker.Observing)
				if trips, openings := metric(t, b, "trips"), metric(t, b, "openings"); trips != 3 || openings != 0 {
					t.Errorf("%v trips and %v openings, want 3 and 0", trips, openings)
				}
			})
		})
	}
}

// A breaker of a host that is gone for good would otherwise never be forgotten: nobody calls it, so that it never closes.
func TestFreshAgainWhenNobodyComes(t *testing.T) {
	for _, state := range []breaker.State{breaker.Open, breaker.HalfOpen} {
		synctest.Test(t, func(t *testing.T) {
			b := in(t, state, breaker.Config{Cooldown: time.Second, MaxCooldown: 10 * time.Second})
			time.Sleep(11*time.Second - 1)
			if b.Fresh() {
				t.Errorf("%v: Fresh before MaxCooldown has passed after the cooldown", state)
			}
			time.Sleep(time.Millisecond)
			if !b.Fresh() {
				t.Errorf("%v: not Fresh although nobody came for MaxCooldown", state)
			}
			b.Do(context.Background(), func(context.Context) error { return errDown })
			if b.Fresh() {
				t.Errorf("%v: Fresh after a probe failed", state)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		for _, state := range []breaker.State{breaker.ForcedOpen, breaker.Disabled, breaker.Observing} {
			b := in(t, state, breaker.Config{})
			if time.Sleep(time.Hour); b.Fresh() {
				t.Errorf("%v: Fresh after an hour", state)
			}
		}
	})
}

func TestFreshMeansClosedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, state := range states {
			b := in(t, state, breaker.Config{})
			if got, want := b.Fresh(), state == breaker.Closed; got != want {
				t.Errorf("%v: Fresh is %v, want %v", state, got, want)
			}
			if b.Reset(); !b.Fresh() {
				t.Errorf("%v and reset: not Fresh", state)
			}
		}
	})
}

// An observer may turn the breaker that tells it: a trip that is undone at once.
func TestAnObserverMayTurnTheBreaker(t *testing.T) {
	var b *breaker.Breaker
	var changes []string
	b = breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Observer: func(_ context.Context, e mettle.Event) {
		changes = append(changes, e.From+">"+e.To)
		if e.To == "open" {
			b.Reset()
		}
	}})
	b.Do(bg, down)
	wantState(t, b, breaker.Closed)
	if want := []string{"closed>open", "open>closed"}; !slices.Equal(changes, want) {
		t.Errorf("changes are %v, want %v", changes, want)
	}
}
