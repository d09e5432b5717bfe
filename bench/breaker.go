package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"

	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/internal/clock"
)

// A phase is the state in which a breaker is handed over.
type phase int

const (
	closed   phase = iota
	open           // and stays so: the cooldown is an hour
	halfOpen       // with its only probe under way
)

func breakerRows() []row {
	one := []rival[phase, act]{
		{"mettle", func(b *bed, p phase) act { return mettleBreaker(b, breaker.Config{}, p).Do }},
		{"mettle, Consecutive(5)", func(b *bed, p phase) act {
			return mettleBreaker(b, breaker.Config{Trip: breaker.Consecutive(5)}, p).Do
		}},
		// The defaults: more than five failures in a row.
		{"gobreaker", func(b *bed, p phase) act { return gobreakerAct(b, gobreaker.Settings{}, p) }},
		// As in its guide: an executor, made once, with the context of each call.
		{"failsafe-go", func(b *bed, p phase) act {
			return failsafeAct[any](failsafeBreaker(circuitbreaker.NewBuilder[any]().WithFailureThreshold(5), p))
		}},
		// What its guide calls standalone usage.
		{"failsafe-go, standalone", func(b *bed, p phase) act {
			return standalone(failsafeBreaker(circuitbreaker.NewBuilder[any]().WithFailureThreshold(5), p))
		}},
	}
	return []row{
		{"breaker/closed", "breaker closed", contenders(one, closed, succeeds(nothing), checkTrips)},
		{"breaker/window", "breaker closed, half of at least 20 calls in 10 s trip it", contenders(windowed(), closed, succeeds(nothing), checkTrips)},
		{"breaker/open", "breaker open: rejects", contenders(one, open, rejects, checkStaysShut(open))},
		{"breaker/half-open", "breaker half-open, its probe under way: rejects", contenders(one, halfOpen, rejects, checkStaysShut(halfOpen))},
	}
}

// windowed are breakers that open when half of the calls of the last ten seconds failed, of at least twenty. Mettle divides the ten
// seconds into 16 slices, the others into ten.
func windowed() []rival[phase, act] {
	return []rival[phase, act]{
		{"mettle", func(b *bed, p phase) act {
			w := breaker.Window{Time: 10 * time.Second, Min: 20, Failures: 0.5}
			return mettleBreaker(b, breaker.Config{Trip: breaker.Rate(w)}, p).Do
		}},
		{"gobreaker", func(b *bed, p phase) act {
			return gobreakerAct(b, gobreaker.Settings{Interval: 10 * time.Second, BucketPeriod: time.Second, ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.Requests >= 20 && float64(c.TotalFailures) >= 0.5*float64(c.Requests)
			}}, p)
		}},
		{"failsafe-go", func(b *bed, p phase) act {
			return failsafeAct[any](failsafeBreaker(circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(0.5, 20, 10*time.Second), p))
		}},
		{"failsafe-go, standalone", func(b *bed, p phase) act {
			return standalone(failsafeBreaker(circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(0.5, 20, 10*time.Second), p))
		}},
	}
}

// trip makes do's breaker open.
func trip(do act) {
	for range 100 {
		do(context.Background(), func(context.Context) error { return errDown })
	}
}

func mettleBreaker(_ *bed, c breaker.Config, p phase) *breaker.Breaker {
	c.Cooldown = time.Hour
	br := breaker.New(c)
	if p != closed {
		trip(br.Do)
	}
	if p == halfOpen {
		// The probe begins when the cooldown is over, and never ends. A stack tells a breaker the time in the same way.
		if _, _, err := br.AcquireAt(context.Background(), clock.Now().Add(2*time.Hour)); err != nil {
			panic(err)
		}
	}
	if want := []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen}[p]; br.State() != want {
		panic("mettle: the breaker is " + br.State().String() + ", want " + want.String())
	}
	return br
}

// gobreakerAct hands the function's context over in a closure, since a gobreaker knows no contexts.
func gobreakerAct(b *bed, s gobreaker.Settings, p phase) act {
	s.Timeout = time.Hour
	if p == halfOpen {
		s.Timeout = time.Millisecond
	}
	cb := gobreaker.NewCircuitBreaker[any](s)
	do := func(ctx context.Context, fn func(context.Context) error) error {
		_, err := cb.Execute(func() (any, error) { return nil, fn(ctx) })
		return err
	}
	if p != closed {
		trip(do)
	}
	if p == halfOpen {
		time.Sleep(2 * s.Timeout) // from here on the next call is the probe
		begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			do(context.Background(), func(context.Context) error { close(begun); <-end; return nil })
		}()
		<-begun
		b.cleanup(func() { close(end); <-ended })
	}
	if want := []gobreaker.State{gobreaker.StateClosed, gobreaker.StateOpen, gobreaker.StateHalfOpen}[p]; cb.State() != want {
		panic("gobreaker: the breaker is " + cb.State().String() + ", want " + want.String())
	}
	return do
}

func failsafeBreaker(c circuitbreaker.Builder[any], p phase) circuitbreaker.CircuitBreaker[any] {
	cb := c.WithDelay(time.Hour).WithSuccessThreshold(1).Build()
	switch p {
	case open:
		cb.Open()
	case halfOpen:
		cb.HalfOpen()
		if !cb.TryAcquirePermit() { // the probe, which never ends
			panic("failsafe-go: no probe in half-open")
		}
	}
	return cb
}

// failsafeAct runs one policy. Its Run without an Execution is the cheaper form, and enough where the policy does not change the context.
func failsafeAct[R any](p failsafe.Policy[R]) act {
	ex := failsafe.With(p)
	return func(ctx context.Context, fn func(context.Context) error) error {
		return ex.WithContext(ctx).Run(func() error { return fn(ctx) })
	}
}

// standalone is a failsafe-go breaker by permits.
func standalone(cb circuitbreaker.CircuitBreaker[any]) act {
	return func(ctx context.Context, fn func(context.Context) error) error {
		if !cb.TryAcquirePermit() {
			return circuitbreaker.ErrOpen
		}
		err := fn(ctx)
		cb.RecordError(err)
		return err
	}
}

// checkTrips returns an error unless the breaker admits, and stops to once calls fail.
func checkTrips(build func(phase) act) error {
	if err := passes(build(closed)); err != nil {
		return err
	}
	do := build(closed)
	ctx, cancel := request()
	defer cancel()
	for range 100 {
		runs := 0
		if err := do(ctx, func(context.Context) error { runs++; return nil }); runs != 1 || err != nil {
			return fmt.Errorf("closed: ran the function %d times and returned %v, want once and nil", runs, err)
		}
	}
	runs := 0
	for range 1000 {
		do(ctx, func(context.Context) error { runs++; return errDown })
	}
	if runs >= 1000 {
		return errors.New("did not open although 1000 calls failed")
	}
	return turnsAway(ctx, do)
}

// checkStaysShut returns an error unless the breaker rejects in phase p, and unless it is that phase which makes it do so.
func checkStaysShut(p phase) func(func(phase) act) error {
	return func(build func(phase) act) error {
		if err := passes(build(closed)); err != nil {
			return err
		}
		ctx, cancel := request()
		defer cancel()
		return turnsAway(ctx, build(p))
	}
}
