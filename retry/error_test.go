package retry_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

func TestMessageIsOneLine(t *testing.T) {
	lines := errors.Join(errors.New("one"), errors.New("two"))
	for _, c := range []struct {
		e    retry.ExhaustedError
		want string
	}{
		{retry.ExhaustedError{Attempts: []retry.Attempt{{N: 1, Err: errDown}}, Reason: retry.ErrPermanent},
			"retry: gave up after 1 attempt in 0s (permanent error): down"},
		{retry.ExhaustedError{Name: "users", Attempts: []retry.Attempt{{N: 1, Err: fs.ErrExist}, {N: 2, Err: errDown}}, Elapsed: 1234567890, Reason: retry.ErrAttempts},
			"retry: users: gave up after 2 attempts in 1.234568s (attempts used up): down"},
		{retry.ExhaustedError{Attempts: []retry.Attempt{{N: 20, Err: lines}}, Reason: lines},
			"retry: gave up after 20 attempts in 0s (one; two): one; two"},
		{retry.ExhaustedError{}, "retry: gave up after 0 attempts in 0s"},
	} {
		if got := c.e.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// A context's cause may be a rejection, as in a group whose other task met an open breaker. The function did run.
func TestCauseThatIsARejectionDoesNotHideThatFnRan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("open")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(mettle.Reject("breaker", "", reason, nil)) })
		fn, calls := script(errDown)
		err := retry.New(retry.Config{Backoff: retry.Constant(time.Minute)}).Do(ctx, fn)
		if *calls != 1 {
			t.Fatalf("%d calls, want 1", *calls)
		}
		if errors.Is(err, mettle.ErrRejected) {
			t.Errorf("%v is ErrRejected although fn ran", err)
		}
		for _, want := range []error{context.Canceled, reason, errDown} {
			if !errors.Is(err, want) {
				t.Errorf("%v is not %v", err, want)
			}
		}
	})
}

func TestRejectionsOnlyStayRejected(t *testing.T) {
	rejected := mettle.Reject("breaker", "", errors.New("open"), nil)
	err := error(&retry.ExhaustedError{Attempts: []retry.Attempt{{N: 1, Err: rejected}, {N: 2, Err: rejected}}, Reason: retry.ErrAttempts})
	if !errors.Is(err, mettle.ErrRejected) {
		t.Error("no attempt ran, and it is not ErrRejected")
	}
}

// The end of the caller's context in a wait ends the call at that moment, with both the cause and the last error.
func TestCancelEndsTheWait(t *testing.T) {
	cause := errors.New("shutting down")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start := time.Now()
		fn, calls := script(errDown)
		err := retry.New(retry.Config{Backoff: retry.Constant(time.Minute)}).Do(ctx, fn)
		if took := time.Since(start); took != time.Second || *calls != 1 {
			t.Errorf("returned after %v and %d calls, want 1s and 1", took, *calls)
		}
		e := exhausted(t, err)
		for _, want := range []error{context.Canceled, cause, errDown} {
			if !errors.Is(err, want) {
				t.Errorf("%v is not %v", err, want)
			}
		}
		if e.Elapsed != time.Second || !strings.Contains(err.Error(), "shutting down") {
			t.Errorf("%v after %v", err, e.Elapsed)
		}
	})
}

// unheard is a context that ends at an instant and whose Done nobody hears in time, as when select has two cases ready and
// picks the other.
type unheard struct {
	context.Context
	at time.Time
}

func (u unheard) Done() <-chan struct{} { return nil }
func (u unheard) Err() error {
	if time.Now().Before(u.at) {
		return nil
	}
	return context.Canceled
}

// When the wait and the context end at once, there is no further attempt.
func TestCancelAtTheEndOfTheWaitWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := unheard{t.Context(), time.Now().Add(time.Second)}
		fn, calls := script(errDown)
		err := retry.New(retry.Config{Backoff: retry.Constant(time.Second)}).Do(ctx, fn)
		if *calls != 1 || !errors.Is(err, context.Canceled) {
			t.Errorf("%v after %d calls, want 1", err, *calls)
		}
	})
}

// A deadline that is over already, whose context does not say so yet, leaves no time for a wait either.
type overdue struct{ context.Context }

func (overdue) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestOverdueDeadlineLeavesNoTimeToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fn, calls := script(errDown)
		err := retry.New(retry.Config{Backoff: retry.Constant(time.Minute)}).Do(overdue{t.Context()}, fn)
		if *calls != 1 || time.Since(start) != 0 || !errors.Is(err, retry.ErrDeadline) {
			t.Errorf("%v after %v and %d calls, want ErrDeadline at once", err, time.Since(start), *calls)
		}
	})
}

// A caller who leaves during the first attempt gets that attempt's error as it is; later, the history.
func TestCancelDuringAnAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := retry.New(retry.Config{Backoff: instant})
	err := p.Do(ctx, func(context.Context) error { cancel(); return errDown })
	if err != errDown {
		t.Errorf("%v, want the error as it is", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	calls := 0
	err = p.Do(ctx, func(context.Context) error {
		if calls++; calls == 2 {
			cancel()
		}
		return errDown
	})
	if e := exhausted(t, err); calls != 2 || len(e.Attempts) != 2 || e.Reason != context.Canceled {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// An expired deadline is no cancellation: the history is told, but there is no further attempt.
func TestExpiredDeadlineEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		calls := 0
		err := retry.New(retry.Config{Backoff: instant}).Do(ctx, func(ctx context.Context) error {
			calls++
			<-ctx.Done()
			return errDown
		})
		if e := exhausted(t, err); calls != 1 || e.Reason != context.DeadlineExceeded || !errors.Is(err, errDown) {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestErrorsHaveNamesOfTheirOwn(t *testing.T) {
	all := []error{retry.ErrAttempts, retry.ErrPermanent, retry.ErrHint, retry.ErrDeadline, retry.ErrTurnedAway}
	for i, a := range all {
		if !strings.HasPrefix(a.Error(), "retry: ") {
			t.Errorf("%q lacks the package's name", a)
		}
		for _, b := range all[i+1:] {
			if errors.Is(a, b) {
				t.Errorf("%v is %v", a, b)
			}
		}
	}
}

func TestNestedRetriesMultiply(t *testing.T) {
	p := retry.New(retry.Config{Backoff: instant})
	fn, calls := script(errDown)
	err := p.Do(t.Context(), func(ctx context.Context) error { return p.Do(ctx, fn) })
	if *calls != 9 || len(exhausted(t, err).Attempts) != 3 {
		t.Errorf("%v after %d calls, want 9", err, *calls)
	}
}

// The last attempt does not always say what went wrong.
func TestMessageNamesTheErrorThatTells(t *testing.T) {
	down, shut := errors.New("too many connections"), mettle.Reject("breaker", "db", errors.New("breaker: open"), nil)
	for _, c := range []struct {
		reason error
		errs   []error
		want   string
	}{
		{retry.ErrAttempts, []error{down, errReset}, "(attempts used up): connection reset"},
		{retry.ErrTurnedAway, []error{errReset, down, shut}, "(rejected by an inner policy): mettle: rejected by breaker db: breaker: open; before that: too many connections"},
		{context.DeadlineExceeded, []error{down, context.DeadlineExceeded}, "(context deadline exceeded): context deadline exceeded; before that: too many connections"},
		{retry.ErrTurnedAway, []error{shut, shut}, "(rejected by an inner policy): mettle: rejected by breaker db: breaker: open"},
		{context.Canceled, []error{context.Canceled}, "(context canceled): context canceled"},
	} {
		e := &retry.ExhaustedError{Reason: c.reason}
		for i, err := range c.errs {
			e.Attempts = append(e.Attempts, retry.Attempt{N: i + 1, Err: err})
		}
		if got := e.Error(); !strings.HasSuffix(got, c.want) {
			t.Errorf("%q, want it to end with %q", got, c.want)
		}
	}
}
