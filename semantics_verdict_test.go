package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

func TestSemantics03OneVerdict(t *testing.T) {
	alive := context.Background()
	canceled, cancel := context.WithCancelCause(alive)
	cancel(errors.New("left"))
	expired, cancelExpired := context.WithTimeout(alive, -1)
	defer cancelExpired()
	rejection := mettle.Reject("breaker", "", breaker.ErrOpen, nil)
	asked := func(v mettle.Verdict) func(error) mettle.Verdict { return func(error) mettle.Verdict { return v } }
	never := func(err error) mettle.Verdict { t.Errorf("Classify was asked about %v", err); return mettle.Success }
	for _, c := range []struct {
		name     string
		ctx      context.Context
		err      error
		classify func(error) mettle.Verdict
		want     mettle.Verdict
	}{
		{"nil", alive, nil, never, mettle.Success},
		{"nil although canceled", canceled, nil, never, mettle.Success},
		{"nil although expired", expired, nil, never, mettle.Success},
		{"an error", alive, errDown, nil, mettle.Failure},
		{"an error called success", alive, errDown, asked(mettle.Success), mettle.Success},
		{"an error called ignore", alive, errDown, asked(mettle.Ignore), mettle.Ignore},
		{"an error called failure", alive, errDown, asked(mettle.Failure), mettle.Failure},
		{"rejection", alive, rejection, never, mettle.Ignore},
		{"wrapped rejection", alive, fmt.Errorf("get: %w", rejection), never, mettle.Ignore},
		{"rejection although expired", expired, rejection, never, mettle.Ignore},
		{"rejection of a deadline in the queue", alive, mettle.Reject("bulkhead", "", context.DeadlineExceeded, nil), never, mettle.Ignore},
		{"the caller left", canceled, errDown, never, mettle.Ignore},
		{"the caller left, and fn timed out", canceled, context.DeadlineExceeded, never, mettle.Ignore},
		{"the caller's deadline", expired, errDown, never, mettle.Failure},
		{"the caller's deadline, fn says canceled", expired, context.Canceled, never, mettle.Failure},
		{"fn's own deadline", alive, fmt.Errorf("get: %w", context.DeadlineExceeded), never, mettle.Failure},
		{"an inner timeout", alive, &timeout.Error{After: time.Second}, never, mettle.Failure},
		{"I/O timeout, of a connection only", alive, os.ErrDeadlineExceeded, asked(mettle.Success), mettle.Success},
		{"fn's own cancellation", alive, context.Canceled, nil, mettle.Failure},
		{"fn's own cancellation, classified", alive, context.Canceled, asked(mettle.Ignore), mettle.Ignore},
		{"unfinished", alive, mettle.ErrUnfinished, nil, mettle.Failure},
	} {
		if got := mettle.Judge(c.ctx, c.err, c.classify); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSemantics03VerdictsHaveNames(t *testing.T) {
	for v, want := range map[mettle.Verdict]string{mettle.Success: "success", mettle.Failure: "failure", mettle.Ignore: "ignore"} {
		if v.String() != want {
			t.Errorf("%d is %q, want %q", v, v, want)
		}
	}
}

// The breaker sees only the outer timeout's context expire, and must count the hang all the same.
func TestSemantics03BreakerInsideAnOuterTimeoutTripsOnHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := breaker.New(breaker.Config{})
		s := mettle.Compose(timeout.After(time.Second), br)
		for i := range 8 {
			if br.State() != breaker.Closed {
				t.Fatalf("open after %d hangs, want 8", i)
			}
			s.Do(t.Context(), hang)
		}
		if br.State() != breaker.Open {
			t.Errorf("%v after 8 hangs", br.State())
		}
	})
}

// A thousand callers who leave say nothing of the dependency.
func TestSemantics03CallersWhoLeaveTripNothing(t *testing.T) {
	br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	retried := 0
	again := retry.New(retry.Config{Backoff: retry.Constant(0), Observer: func(context.Context, mettle.Event) { retried++ }})
	for range 1000 {
		ctx, cancel := context.WithCancel(t.Context())
		err := mettle.Compose(again, br, timeout.After(time.Hour)).Do(ctx, func(ctx context.Context) error { cancel(); return hang(ctx) })
		if err != context.Canceled {
			t.Fatalf("%v, want the function's error as it is", err)
		}
	}
	if br.State() != breaker.Closed || metric(br, "failures") != 0 || retried != 0 {
		t.Errorf("%v, %v failures, %d retries", br.State(), metric(br, "failures"), retried)
	}
}

// A probe whose caller leaves gives its place to the next and decides nothing.
func TestSemantics03IgnoredProbeGivesItsPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		br := opened()
		time.Sleep(time.Minute)
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			if err := br.Do(ctx, func(context.Context) error { cancel(); return errDown }); err != errDown {
				t.Fatalf("%v: the probe before kept its place", err)
			}
			if br.State() != breaker.HalfOpen {
				t.Fatalf("%v after an ignored probe", br.State())
			}
		}
		for range 3 {
			br.Do(t.Context(), nothing)
		}
		if br.State() != breaker.Closed {
			t.Errorf("%v after three successful probes", br.State())
		}
	})
}
