package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	avast "github.com/avast/retry-go/v5"
	"github.com/cenkalti/backoff/v5"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/mettle-go/mettle/retry"
)

// tries is how many attempts every retry of the rows makes at most.
const tries = 3

func retryRows() []row {
	usual := rival[time.Duration, act]{"mettle", func(_ *bed, wait time.Duration) act { return mettleRetry(wait, nil) }}
	// A row where two of three attempts fail would use a budget up, and no other contender has one.
	unlimited := rival[time.Duration, act]{"mettle, without a budget", func(_ *bed, wait time.Duration) act {
		return mettleRetry(wait, retry.Unlimited)
	}}
	first := append([]rival[time.Duration, act]{usual, unlimited}, retries()...)
	failing := append([]rival[time.Duration, act]{unlimited}, retries()...)
	return []row{
		{"retry/first", "retry, first attempt succeeds", contenders(first, time.Millisecond, succeeds(nothing), checkRetries)},
		{"retry/two-failures", "retry, two failures without a wait, then success", contenders(failing, 0, succeedsThird, checkRetries)},
	}
}

func mettleRetry(wait time.Duration, budget *retry.Budget) act {
	b := retry.Backoff{Base: wait}
	if wait == 0 {
		b = retry.Constant(0)
	}
	return retry.New(retry.Config{Attempts: tries, Backoff: b, Budget: budget}).Do
}

// retries are retries whose first wait is at most the given time, which doubles; 0 is no wait.
func retries() []rival[time.Duration, act] {
	return []rival[time.Duration, act]{
		{"by hand", func(_ *bed, wait time.Duration) act { return byHandRetry(wait) }},
		// Built once and reused, as its readme says for hot paths. Then it knows no request's context, and its waits cannot be canceled.
		{"retry-go, without a context", func(_ *bed, wait time.Duration) act {
			r := avast.New(avastOptions(wait)...)
			return func(ctx context.Context, fn func(context.Context) error) error {
				return r.Do(func() error { return fn(ctx) })
			}
		}},
		// Its context is an option of the retrier, so that a request's context takes a retrier a call.
		{"retry-go", func(_ *bed, wait time.Duration) act {
			options := avastOptions(wait)
			return func(ctx context.Context, fn func(context.Context) error) error {
				return avast.New(append(options[:len(options):len(options)], avast.Context(ctx))...).Do(func() error { return fn(ctx) })
			}
		}},
		// An ExponentialBackOff "is not thread-safe", so that each call makes its own.
		{"backoff, without history", func(_ *bed, wait time.Duration) act {
			return func(ctx context.Context, fn func(context.Context) error) error {
				_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, fn(ctx) },
					backoff.WithMaxTries(tries), backoff.WithBackOff(backOff(wait)))
				return err
			}
		}},
		{"failsafe-go, without history", func(_ *bed, wait time.Duration) act {
			b := retrypolicy.NewBuilder[any]().WithMaxAttempts(tries)
			if wait > 0 {
				b = b.WithBackoff(wait, time.Second)
			}
			return failsafeAct[any](b.Build())
		}},
	}
}

func avastOptions(wait time.Duration) []avast.Option {
	options := []avast.Option{avast.Attempts(tries), avast.Delay(wait)}
	if wait == 0 {
		return append(options, avast.DelayType(avast.FixedDelay))
	}
	return append(options, avast.DelayType(avast.FullJitterBackoffDelay))
}

func backOff(wait time.Duration) backoff.BackOff {
	if wait == 0 {
		return &backoff.ZeroBackOff{}
	}
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = wait
	return b
}

// byHandRetry is what one writes without a library: full jitter, a context that ends the wait, and all errors joined in the end.
func byHandRetry(wait time.Duration) act {
	return func(ctx context.Context, fn func(context.Context) error) error {
		var errs []error
		for n := 0; ; n++ {
			err := fn(ctx)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
			if n+1 == tries || ctx.Err() != nil {
				return errors.Join(errs...)
			}
			if err := pause(ctx, wait<<n); err != nil {
				return errors.Join(append(errs, err)...)
			}
		}
	}
}

// pause waits for up to d, at random, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// succeedsThird is succeeds where two of three attempts fail.
func succeedsThird(do act) loop {
	attempts := 0
	return succeeds(func(context.Context) error {
		if attempts++; attempts%tries != 0 {
			return errDown
		}
		return nil
	})(do)
}

// checkRetries returns an error unless the retry makes as many attempts as it takes, but not more than tries.
func checkRetries(build func(time.Duration) act) error {
	ctx, cancel := request()
	defer cancel()
	for _, wait := range []time.Duration{0, time.Millisecond} {
		do := build(wait)
		for failures := range tries + 2 {
			runs := 0
			err := do(ctx, func(ctx context.Context) error {
				if runs++; runs <= failures {
					return errDown
				}
				return nil
			})
			if want := min(failures+1, tries); runs != want {
				return fmt.Errorf("ran a function that fails %d times %d times, want %d", failures, runs, want)
			}
			if failed := failures >= tries; failed != (err != nil) || failed && !errors.Is(err, errDown) {
				return fmt.Errorf("returned %v after %d failures of %d attempts", err, failures, runs)
			}
		}
	}
	return nil
}
