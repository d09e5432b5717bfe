package retry_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

var (
	errDown = errors.New("down")
	instant = retry.Constant(0)
)

// script returns a function that returns the given errors in order, and the last from then on, and counts its calls.
func script(errs ...error) (fn func(context.Context) error, calls *int) {
	calls = new(int)
	return func(context.Context) error {
		*calls++
		return errs[min(*calls, len(errs))-1]
	}, calls
}

func exhausted(t *testing.T, err error) *retry.ExhaustedError {
	t.Helper()
	e, ok := errors.AsType[*retry.ExhaustedError](err)
	if !ok {
		t.Fatalf("%v (%T) is no *ExhaustedError", err, err)
	}
	return e
}

func TestAttemptsCountCalls(t *testing.T) {
	for _, c := range []struct{ attempts, want int }{{0, 3}, {1, 1}, {2, 2}, {5, 5}} {
		p := retry.New(retry.Config{Attempts: c.attempts, Backoff: instant})
		fn, calls := script(errDown)
		err := p.Do(t.Context(), fn)
		if *calls != c.want {
			t.Errorf("Attempts %d: %d calls, want %d", c.attempts, *calls, c.want)
		}
		e := exhausted(t, err)
		if len(e.Attempts) != c.want || e.Reason != retry.ErrAttempts {
			t.Errorf("Attempts %d: %+v", c.attempts, e)
		}
		if p.Describe().Limit != int64(c.want) || p.Describe().Kind != "retry" {
			t.Errorf("Attempts %d: %+v", c.attempts, p.Describe())
		}
	}
}

func TestStopsAtTheFirstSuccess(t *testing.T) {
	for n := range 5 {
		errs := append(slices.Repeat([]error{errDown}, n), nil)
		fn, calls := script(errs...)
		if err := retry.New(retry.Config{Attempts: 5, Backoff: instant}).Do(t.Context(), fn); err != nil || *calls != n+1 {
			t.Errorf("%d failures: %v after %d calls", n, err, *calls)
		}
	}
}

func TestPermanentStopsAtOnce(t *testing.T) {
	fn, calls := script(errDown, fmt.Errorf("wrapped: %w", mettle.Permanent(errors.ErrUnsupported)))
	err := retry.New(retry.Config{Attempts: 5, Backoff: instant}).Do(t.Context(), fn)
	if *calls != 2 || !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, errDown) || !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("%v after %d calls", err, *calls)
	}
}

func TestClassifyDecides(t *testing.T) {
	verdict := mettle.Failure
	p := retry.New(retry.Config{Attempts: 3, Backoff: instant, Classify: func(err error) mettle.Verdict {
		if err != errDown {
			t.Errorf("asked about %v", err)
		}
		return verdict
	}})
	for v, want := range map[mettle.Verdict]int{mettle.Failure: 3, mettle.Success: 1, mettle.Ignore: 1} {
		verdict = v
		fn, calls := script(errDown)
		err := p.Do(t.Context(), fn)
		if *calls != want || !errors.Is(err, errDown) {
			t.Errorf("%v: %v after %d calls, want %d", v, err, *calls, want)
		}
		if v != mettle.Failure && err != errDown {
			t.Errorf("%v: %v, want the error as it is", v, err)
		}
	}
}

// An error that Classify will not have retried passes as it is also after attempts that were.
func TestIgnoredErrorPassesAsItIs(t *testing.T) {
	other := errors.New("other")
	p := retry.New(retry.Config{Attempts: 5, Backoff: instant, Classify: func(err error) mettle.Verdict {
		if err == other {
			return mettle.Ignore
		}
		return mettle.Failure
	}})
	fn, calls := script(errDown, other)
	if err := p.Do(t.Context(), fn); err != other || *calls != 2 {
		t.Errorf("%v after %d calls", err, *calls)
	}
}

func TestWaitsFollowTheBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.New(retry.Config{Attempts: 5, Backoff: retry.Backoff{Base: time.Second, Max: 5 * time.Second, Jitter: retry.NoJitter}})
		start := time.Now()
		var at []time.Duration
		err := p.Do(t.Context(), func(context.Context) error {
			at = append(at, time.Since(start))
			time.Sleep(10 * time.Millisecond)
			return errDown
		})
		ms := time.Millisecond
		if want := []time.Duration{0, 1010 * ms, 3020 * ms, 7030 * ms, 12040 * ms}; !slices.Equal(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
		e := exhausted(t, err)
		for i, a := range e.Attempts {
			wait := []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second}[i]
			took := 10 * ms
			if i == 0 {
				took = 0 // nobody read a clock before it
			}
			if a.N != i+1 || a.Err != errDown || a.Wait != wait || a.Took != took {
				t.Errorf("attempt %d: %+v, want wait %v and took %v", i+1, a, wait, took)
			}
		}
		if want := 12040 * ms; e.Elapsed != want { // from the end of the first attempt to the end of the last
			t.Errorf("Elapsed %v, want %v", e.Elapsed, want)
		}
	})
}

func TestObserverHearsEachRetryBeforeTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var events []mettle.Event
		p := retry.New(retry.Config{Name: "users", Backoff: retry.Constant(time.Second), Observer: func(_ context.Context, e mettle.Event) {
			if since := time.Since(start); since != time.Duration(len(events))*time.Second {
				t.Errorf("event %d after %v", len(events)+1, since)
			}
			events = append(events, e)
		}})
		fn, _ := script(errDown)
		p.Do(t.Context(), fn)
		want := func(n int) mettle.Event {
			return mettle.Event{Kind: mettle.Retried, Policy: "retry", Name: "users", Err: errDown, Attempt: n, Of: 3, Wait: time.Second}
		}
		if len(events) != 2 || events[0] != want(1) || events[1] != want(2) {
			t.Errorf("%+v", events)
		}
	})
}

// Sixteen attempts are all kept; of more, the first and the last eight.
func TestHistoryKeepsTheFirstAndTheLastEight(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 40, 1000} {
		errs := make([]error, n)
		for i := range errs {
			errs[i] = fmt.Errorf("error %d", i+1)
		}
		fn, _ := script(errs...)
		err := retry.New(retry.Config{Attempts: n, Backoff: instant, Budget: retry.Unlimited}).Do(t.Context(), fn)
		e := exhausted(t, err)
		var got []int
		for _, a := range e.Attempts {
			got = append(got, a.N)
			if a.Err != errs[a.N-1] {
				t.Errorf("attempt %d of %d: %v", a.N, n, a.Err)
			}
		}
		var want []int
		for i := 1; i <= n; i++ {
			if i <= 8 || i > n-8 {
				want = append(want, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %d attempts: %v, want %v", n, got, want)
		}
		if first := fmt.Sprintf("gave up after %d attempt", n); !strings.Contains(err.Error(), first) {
			t.Errorf("%q does not contain %q", err, first)
		}
		for _, i := range want {
			if !errors.Is(err, errs[i-1]) {
				t.Errorf("does not unwrap to attempt %d of %d", i, n)
			}
		}
		if unwrapped := err.(interface{ Unwrap() []error }).Unwrap(); unwrapped[0] != errs[n-1] {
			t.Errorf("unwraps first to %v, want the last attempt's error", unwrapped[0])
		}
	}
}

// A recycled history must not show one call's errors to another.
func TestHistoriesAreNotShared(t *testing.T) {
	p := retry.New(retry.Config{Attempts: 4, Backoff: instant, Budget: retry.Unlimited})
	var wrong atomic.Int64
	done := make(chan struct{})
	for i := range 64 {
		go func() {
			defer func() { done <- struct{}{} }()
			mine := fmt.Errorf("of goroutine %d", i)
			for n := range 200 {
				fails := n % 5
				calls := 0
				err := p.Do(context.Background(), func(context.Context) error {
					if calls++; calls > fails {
						return nil
					}
					return mine
				})
				if (err == nil) != (fails < 4) {
					wrong.Add(1)
				}
				if e, ok := errors.AsType[*retry.ExhaustedError](err); ok {
					for i, a := range e.Attempts {
						if a.Err != mine || a.N != i+1 || len(e.Attempts) != 4 {
							wrong.Add(1)
						}
					}
				}
			}
		}()
	}
	for range 64 {
		<-done
	}
	if wrong.Load() > 0 {
		t.Errorf("%d wrong results", wrong.Load())
	}
}
