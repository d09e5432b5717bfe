package breaker_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

func TestSemantics12ObserversGetFlatEventsAndMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *breaker.Breaker
		var events []mettle.Event
		var seen []breaker.State
		type ctxKey struct{}
		ctx := context.WithValue(bg, ctxKey{}, "here")
		b = breaker.New(breaker.Config{
			Name: "db", Trip: breaker.Consecutive(2), Cooldown: time.Second, Successes: 1,
			Observer: func(ctx context.Context, e mettle.Event) {
				if ctx.Value(ctxKey{}) != "here" {
					t.Error("the observer gets another context than the call's")
				}
				events = append(events, e)
				if e.Kind == mettle.StateChanged {
					seen = append(seen, b.State())
					b.Describe()
					if e.To == "open" { // a call from within: rejected, which is an event in the event
						if err := b.Do(ctx, nothing); !errors.Is(err, breaker.ErrOpen) {
							t.Errorf("a call from the observer: %v", err)
						}
					}
				}
			},
		})
		time.Sleep(3 * time.Second)
		b.Do(ctx, nothing)
		b.Do(ctx, down)
		b.Do(ctx, down)
		time.Sleep(time.Second / 4)
		b.Do(ctx, nothing)
		time.Sleep(time.Second)
		b.Do(ctx, nothing)

		var rejection error
		for i, e := range events {
			if e.Policy != "breaker" || e.Name != "db" {
				t.Errorf("event %d is of %q %q", i, e.Policy, e.Name)
			}
			if e.Kind == mettle.Rejected {
				rejection = e.Err
				events[i].Err = nil
			}
			events[i].Policy, events[i].Name = "", ""
		}
		want := []mettle.Event{
			{Kind: mettle.StateChanged, From: "closed", To: "open", After: 3 * time.Second, Calls: 3, Failures: 2, Err: errDown},
			{Kind: mettle.Rejected, Wait: time.Second},
			{Kind: mettle.Rejected, Wait: 3 * time.Second / 4},
			{Kind: mettle.StateChanged, From: "open", To: "half-open", After: 5 * time.Second / 4},
			{Kind: mettle.StateChanged, From: "half-open", To: "closed", Calls: 1},
		}
		if !slices.Equal(events, want) {
			t.Errorf("events are\n%+v\nwant\n%+v", events, want)
		}
		if !errors.Is(rejection, mettle.ErrRejected) || !errors.Is(rejection, breaker.ErrOpen) {
			t.Errorf("the error of a rejection's event is %v", rejection)
		}
		if want := []breaker.State{breaker.Open, breaker.HalfOpen, breaker.Closed}; !slices.Equal(seen, want) {
			t.Errorf("the observer sees the states %v, want %v", seen, want)
		}
	})
}

// A round of overdue probes is no change of state and no event.
func TestOverdueProbesAreNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []string
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Second, Observer: func(_ context.Context, e mettle.Event) {
			changes = append(changes, e.To)
		}})
		trip(t, b)
		time.Sleep(time.Second)
		b.Acquire(bg)
		time.Sleep(time.Second)
		b.Acquire(bg)
		if want := []string{"open", "half-open"}; !slices.Equal(changes, want) {
			t.Errorf("changes to %v, want %v", changes, want)
		}
	})
}

func TestAClassifyThatPanicsLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		angry := false
		b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Successes: 1, Classify: func(error) mettle.Verdict {
			if angry {
				panic("classify")
			}
			return mettle.Failure
		}})
		trip(t, b)
		time.Sleep(5 * time.Second)
		angry = true
		func() {
			defer func() {
				if p := recover(); p != "classify" {
					t.Errorf("recovered %v", p)
				}
			}()
			b.Do(bg, down)
		}()
		wantState(t, b, breaker.HalfOpen)
		if err := b.Do(bg, nothing); err != nil {
			t.Errorf("the probe's place is lost: %v", err)
		}
	})
}

func TestTripsAndStatesByName(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{breaker.Trip{}.String(), "Shift(0.1, 0.5, 12)"},
		{breaker.Shift(0.01, 0.2, 6.5).String(), "Shift(0.01, 0.2, 6.5)"},
		{breaker.Consecutive(5).String(), "Consecutive(5)"},
		{breaker.Closed.String(), "closed"},
		{breaker.Open.String(), "open"},
		{breaker.HalfOpen.String(), "half-open"},
		{breaker.ForcedOpen.String(), "forced-open"},
		{breaker.Disabled.String(), "disabled"},
		{breaker.Observing.String(), "observe-only"},
		{breaker.Rate(breaker.Window{Calls: 20, Failures: 0.25}).String(), "Rate(Window{Calls: 20, Failures: 0.25})"},
		{
			breaker.Rate(breaker.Window{Time: 10 * time.Second, Min: 7, Slow: 0.8, SlowAfter: time.Second}).String(),
			"Rate(Window{Time: 10s, Min: 7, Slow: 0.8, SlowAfter: 1s})",
		},
		{breaker.Custom(func() breaker.Detector { return nil }).String(), "Custom(func)"},
		{breaker.Custom(nil).String(), "Custom(nil)"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}
