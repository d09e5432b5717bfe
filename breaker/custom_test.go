package breaker_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
)

// scripted is a detector that keeps what it was asked and trips at the nth failure, or does worse.
type scripted struct {
	outcomes []breaker.Outcome
	failures int
	tripAt   int
	fault    func()
}

func (s *scripted) Trips(o breaker.Outcome) bool {
	if s.fault != nil {
		s.fault()
	}
	s.outcomes = append(s.outcomes, o)
	if o.Failed {
		s.failures++
	}
	return s.failures >= s.tripAt
}

func TestCustomGetsOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &scripted{tripAt: 100}
		errNotFound := errors.New("not found")
		b := breaker.New(breaker.Config{
			Trip: breaker.Custom(func() breaker.Detector { return d }),
			Classify: func(err error) mettle.Verdict {
				if err == errNotFound {
					return mettle.Success
				}
				return mettle.Failure
			},
		})
		canceled, cancel := context.WithCancel(bg)
		cancel()
		start := time.Now()
		b.Do(canceled, down)
		b.Do(bg, after(time.Second, nil))
		b.Do(bg, after(2*time.Second, errNotFound))
		b.Do(bg, after(3*time.Second, errDown))
		unfinished(b, func() { panic("boom") })
		want := []breaker.Outcome{
			{Took: time.Second, At: start.Add(time.Second)},
			{Took: 2 * time.Second, At: start.Add(3 * time.Second), Err: errNotFound},
			{Took: 3 * time.Second, At: start.Add(6 * time.Second), Err: errDown, Failed: true},
			{At: start.Add(6 * time.Second), Err: mettle.ErrUnfinished, Failed: true},
		}
		if len(d.outcomes) != len(want) {
			t.Fatalf("asked %d times, want %d: %+v", len(d.outcomes), len(want), d.outcomes)
		}
		for i, got := range d.outcomes {
			if off := got.Took - want[i].Took; off < 0 || off > 1024 {
				t.Errorf("outcome %d took %v, want %v to the microsecond", i, got.Took, want[i].Took)
			}
			if got.Err != want[i].Err || got.Failed != want[i].Failed || !got.At.Equal(want[i].At) {
				t.Errorf("outcome %d is %+v, want %+v", i, got, want[i])
			}
		}
	})
}

// Nothing of an earlier period leaks into the next, and no other state is watched.
func TestCustomIsFreshInEachClosedPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made []*scripted
		b := breaker.New(breaker.Config{Successes: 2, Trip: breaker.Custom(func() breaker.Detector {
			made = append(made, &scripted{tripAt: 3})
			return made[len(made)-1]
		})})
		for round := 1; round <= 3; round++ {
			if len(made) != round {
				t.Fatalf("round %d: %d detectors", round, len(made))
			}
			late, _ := b.Acquire(bg)
			if n := trip(t, b); n != 3 {
				t.Errorf("round %d: opened after %d failures, want 3", round, n)
			}
			late.Done(errDown)
			time.Sleep(time.Minute)
			b.Do(bg, nothing)
			b.Do(bg, nothing)
			wantState(t, b, breaker.Closed)
			if got := len(made[round-1].outcomes); got != 3 {
				t.Errorf("round %d: the detector was asked %d times, want 3", round, got)
			}
		}
		b.ObserveOnly()
		for range 7 {
			b.Do(bg, down)
		}
		if trips := metric(t, b, "trips"); trips != 5 || len(made) != 7 {
			t.Errorf("%v trips with %d detectors, want 5 with 7", trips, len(made))
		}
	})
}

// faulty runs fn in a goroutine of its own, where it may panic or end that.
func faulty(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { recover() }()
		fn()
	}()
	<-done
}

var faults = map[string]func(){"panic": func() { panic("fault") }, "goexit": runtime.Goexit}

func TestADetectorThatPanicsLosesNothing(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &scripted{tripAt: 2, fault: fault}
				b := breaker.New(breaker.Config{Successes: 1, Trip: breaker.Custom(func() breaker.Detector { return d })})
				for _, fn := range []func(context.Context) error{nothing, down, down, down} {
					faulty(func() { b.Do(bg, fn) })
				}
				wantState(t, b, breaker.Closed)
				if calls := metric(t, b, "calls"); calls != 0 {
					t.Errorf("%v calls are counted", calls)
				}
				d.fault = nil
				if n := trip(t, b); n != 2 {
					t.Errorf("opened after %d failures, want 2", n)
				}
				d.failures = 0
				time.Sleep(time.Minute)
				d.fault = fault // not asked about probes
				if err := b.Do(bg, nothing); err != nil {
					t.Errorf("the probe: %v", err)
				}
				wantState(t, b, breaker.Closed)
			})
		})
	}
}

// The function that makes detectors is called while a probe is about to close the breaker: its place must come back.
func TestAFaultyMakerOfDetectorsLosesNoProbe(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fail := func() {}
				b := breaker.New(breaker.Config{Successes: 1, Cooldown: time.Hour, Trip: breaker.Custom(func() breaker.Detector {
					fail()
					return &scripted{tripAt: 1}
				})})
				trip(t, b)
				time.Sleep(time.Hour)
				fail = fault
				for range 5 {
					faulty(func() { b.Do(bg, nothing) })
					wantState(t, b, breaker.HalfOpen)
				}
				for _, by := range turns[2:] {
					faulty(func() { by.turn(b) })
					wantState(t, b, breaker.HalfOpen)
				}
				fail = func() {}
				if err := b.Do(bg, nothing); err != nil {
					t.Fatalf("the place of a probe is lost: %v", err)
				}
				wantState(t, b, breaker.Closed)
				trip(t, b)
			})
		})
	}
}

func TestSemantics9CustomOfNothingIsLoud(t *testing.T) {
	err := breaker.Config{Trip: breaker.Custom(nil)}.Validate()
	if err == nil || err.Error() != "breaker: Config.Trip is Custom(nil), want a function" {
		t.Errorf("Validate says %v", err)
	}
	defer func() {
		if p, _ := recover().(string); !strings.HasPrefix(p, "breaker: Config.Trip is Custom of a function that returns nil, want") {
			t.Errorf("New panics with %q", p)
		}
	}()
	breaker.New(breaker.Config{Trip: breaker.Custom(func() breaker.Detector { return nil })})
}

// locked counts the calls of Trips at a time; a breaker that held a lock there would let in one.
type locked struct {
	inside  *atomic.Int64
	release chan struct{}
}

func (l locked) Trips(breaker.Outcome) bool {
	l.inside.Add(1)
	<-l.release
	return true
}

func TestADetectorIsAskedOutsideOfAnyLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, changes atomic.Int64
		release := make(chan struct{})
		b := breaker.New(breaker.Config{
			Trip:     breaker.Custom(func() breaker.Detector { return locked{&inside, release} }),
			Observer: func(_ context.Context, e mettle.Event) { changes.Add(1) },
		})
		for range 64 {
			go b.Do(bg, down)
		}
		synctest.Wait()
		if n := inside.Load(); n != 64 {
			t.Errorf("%d are asked at a time, want 64", n)
		}
		b.Describe()
		b.ForceOpen() // does not wait for them
		close(release)
		synctest.Wait()
		wantState(t, b, breaker.ForcedOpen)
		if n := changes.Load(); n != 1 {
			t.Errorf("%d changes, want 1: the trips are those of an earlier period", n)
		}
	})
}
