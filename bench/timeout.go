package main

import (
	"context"
	"errors"
	"time"

	"github.com/failsafe-go/failsafe-go"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"

	"github.com/mettle-go/mettle/timeout"
)

func timeoutRows() []row {
	rivals := timeouts()
	return []row{
		{"timeout/at-once", "timeout", contenders(rivals, time.Minute, succeeds(nothing), checkTimesOut)},
		{"timeout/done", "timeout, the function asks for ctx.Done()", contenders(rivals, time.Minute, succeeds(asksDone), checkTimesOut)},
	}
}

func timeouts() []rival[time.Duration, act] {
	return []rival[time.Duration, act]{
		{"mettle", func(_ *bed, after time.Duration) act { return timeout.After(after).Do }},
		{"context.WithTimeout", func(_ *bed, after time.Duration) act {
			return func(ctx context.Context, fn func(context.Context) error) error {
				ctx, cancel := context.WithTimeout(ctx, after)
				defer cancel()
				return fn(ctx)
			}
		}},
		// The context that its timeout ends is that of the Execution.
		{"failsafe-go", func(_ *bed, after time.Duration) act {
			ex := failsafe.With(failsafetimeout.New[any](after))
			return func(ctx context.Context, fn func(context.Context) error) error {
				return ex.WithContext(ctx).RunWithExecution(func(e failsafe.Execution[any]) error { return fn(e.Context()) })
			}
		}},
	}
}

// checkTimesOut returns an error unless the function's context ends when the time is up, and not before.
func checkTimesOut(build func(time.Duration) act) error {
	if err := passes(build(time.Hour)); err != nil {
		return err
	}
	ctx, cancel := request()
	defer cancel()
	const after = 2 * time.Millisecond
	began := time.Now()
	err := build(after)(ctx, func(ctx context.Context) error {
		if ctx.Err() != nil {
			return errors.New("was over at once")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(patience):
			return errors.New("went on although its time was up")
		}
	})
	switch {
	case !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, failsafetimeout.ErrExceeded):
		return errors.New("a call whose time was up " + errorText(err))
	case time.Since(began) < after:
		return errors.New("a call's time was up too early")
	}
	return nil
}

func errorText(err error) string {
	if err == nil {
		return "returned nil"
	}
	return err.Error()
}
