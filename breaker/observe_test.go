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

func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Name: "db", Trip: breaker.Consecutive(2), Cooldown: 10 * time.Second})
		canceled, cancel := context.WithCancel(bg)
		cancel()
		want := func(state, metrics string) {
			t.Helper()
			d := b.Describe()
			got := ""
			for _, m := range d.Metrics {
				got += fmt.Sprintf("%s=%v ", m.Name, m.Value)
			}
			if d.Kind != "breaker" || d.Name != "db" || d.State != state || got != metrics {
				t.Errorf("got %+v (%s), want %s (%s)", d, got, state, metrics)
			}
		}
		want("closed", "calls=0 failures=0 rejections=0 openings=0 ")
		b.Do(bg, nothing)
		b.Do(bg, down)
		b.Do(bg, nothing)
		b.Do(canceled, down)
		want("closed", "calls=3 failures=1 rejections=0 openings=0 ")
		b.Do(bg, down)
		b.Do(bg, down)
		time.Sleep(4 * time.Second)
		b.Do(bg, nothing)
		want("open", "calls=5 failures=3 rejections=1 openings=1 probe_in_seconds=6 ")
		time.Sleep(time.Minute)
		want("open", "calls=5 failures=3 rejections=1 openings=1 probe_in_seconds=0 ")
		b.Do(bg, nothing)
		want("half-open", "calls=6 failures=3 rejections=1 openings=1 ")
		b.Do(bg, nothing)
		b.Do(bg, nothing)
		want("closed", "calls=8 failures=3 rejections=1 openings=1 ")
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
	} {
		if tc.got != tc.want {
			t.Errorf("got %s, want %s", tc.got, tc.want)
		}
	}
}
