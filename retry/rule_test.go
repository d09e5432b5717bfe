package retry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// httpError is an error as clients of HTTP services have it.
type httpError struct{ status int }

func (e *httpError) Error() string { return fmt.Sprintf("status %d", e.status) }

var errReset = errors.New("connection reset")

func status(code int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*httpError](err)
		return ok && e.status == code
	}
}

func TestRulesByKindOfError(t *testing.T) {
	rules := []retry.Rule{
		{If: retry.Is(errReset, io.ErrUnexpectedEOF), Attempts: 10, Backoff: retry.Constant(time.Millisecond)},
		{If: status(500), Attempts: 2, Backoff: retry.Constant(time.Minute)},
		{If: status(400), Stop: true},
		{If: retry.On[*httpError](), Backoff: retry.Constant(time.Second)},
	}
	bad, server, busy := &httpError{400}, &httpError{500}, &httpError{503}
	other := errors.New("other")
	for _, c := range []struct {
		name   string
		errs   []error // by attempt; then nil
		calls  int
		took   time.Duration
		reason error
	}{
		{"nine resets", []error{errReset, errReset, errReset, errReset, io.ErrUnexpectedEOF, errReset, errReset, errReset, errReset}, 10, 9 * time.Millisecond, nil},
		{"ten resets", []error{errReset, errReset, errReset, errReset, errReset, errReset, errReset, errReset, errReset, errReset}, 10, 9 * time.Millisecond, retry.ErrAttempts},
		{"a 500", []error{server}, 2, time.Minute, nil},
		{"two 500s", []error{server, server}, 2, time.Minute, retry.ErrAttempts},
		{"a 400", []error{bad}, 1, 0, retry.ErrStop},
		{"a 400 in the end", []error{errReset, server, bad}, 3, time.Minute + time.Millisecond, retry.ErrStop},
		{"a 503", []error{busy, busy}, 3, 2 * time.Second, nil},
		{"three 503s", []error{busy, busy, busy}, 3, 2 * time.Second, retry.ErrAttempts},
		{"no rule", []error{other, other, other}, 3, 10 * time.Second, retry.ErrAttempts},
		{"503s and others count together", []error{busy, other, busy}, 3, 6 * time.Second, retry.ErrAttempts},
		{"resets do not count with them", []error{busy, errReset, errReset, errReset, other}, 6, 6*time.Second + 3*time.Millisecond, nil},
		{"wrapped", []error{fmt.Errorf("get: %w", bad)}, 1, 0, retry.ErrStop},
		{"permanent is stronger", []error{mettle.Permanent(errReset)}, 1, 0, retry.ErrPermanent},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := retry.New(retry.Config{Rules: rules, Backoff: retry.Constant(5 * time.Second)})
			fn, calls := script(append(c.errs, nil)...)
			begin := time.Now()
			err := p.Do(t.Context(), fn)
			if *calls != c.calls || time.Since(begin) != c.took || (err == nil) != (c.reason == nil) || !errors.Is(err, c.reason) {
				t.Errorf("%s: %d calls in %v, %v; want %d in %v, %v", c.name, *calls, time.Since(begin), err, c.calls, c.took, c.reason)
			}
		})
	}
}

// The caller reads the configuration after New and changes it: the policy must not change with it.
func TestRulesAreCopied(t *testing.T) {
	rules := []retry.Rule{{If: retry.Is(errReset), Stop: true}}
	p := retry.New(retry.Config{Rules: rules, Backoff: instant})
	rules[0] = retry.Rule{If: func(error) bool { panic("the caller's rule") }}
	fn, calls := script(errReset)
	if err := p.Do(t.Context(), fn); !errors.Is(err, retry.ErrStop) || *calls != 1 {
		t.Errorf("%d calls, %v", *calls, err)
	}
}

func TestRejectionsAreRetriedOnlyByARule(t *testing.T) {
	reason := errors.New("gate: shut")
	after := 7 * time.Second
	rejection := mettle.Reject("gate", "", reason, func() (time.Duration, bool) { return after, true })
	for _, c := range []struct {
		name  string
		rules []retry.Rule
		calls int
	}{
		{"no rule", nil, 1},
		{"another rule", []retry.Rule{{If: retry.Is(errReset)}}, 1},
		{"a rule", []retry.Rule{{If: retry.Is(mettle.ErrRejected)}}, 3},
		{"a rule for the reason", []retry.Rule{{If: retry.Is(reason), Attempts: 5}}, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := retry.New(retry.Config{Rules: c.rules, Backoff: instant})
			fn, calls := script(rejection, rejection, rejection, nil)
			begin := time.Now()
			err := p.Do(t.Context(), fn)
			if *calls != c.calls {
				t.Errorf("%s: %d calls, want %d: %v", c.name, *calls, c.calls, err)
			}
			if took, least := time.Since(begin), time.Duration(min(c.calls, 3)-1)*after; took < least {
				t.Errorf("%s: %d attempts in %v, want none before RetryAfter", c.name, c.calls, took)
			}
			if err != nil && !errors.Is(err, mettle.ErrRejected) {
				t.Errorf("%s: %v is not ErrRejected, though nothing ran", c.name, err)
			}
		})
	}
}

func TestMaxElapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.New(retry.Config{Attempts: -1, MaxElapsed: 10 * time.Second, Backoff: retry.Constant(2 * time.Second), Budget: retry.Unlimited})
		calls := 0
		begin := time.Now()
		err := p.Do(t.Context(), func(context.Context) error {
			calls++
			time.Sleep(time.Second)
			return errReset
		})
		// Attempts begin at 0, 3, 6 and 9 s. After the last one, at 10 s, no wait can end in time.
		if took := time.Since(begin); calls != 4 || took != 10*time.Second || !errors.Is(err, retry.ErrElapsed) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d calls in %v, %v; want 4 in 10s and ErrElapsed", calls, took, err)
		}
		if e := exhausted(t, err); e.Elapsed != 10*time.Second || e.Attempts[0].Took != time.Second {
			t.Errorf("elapsed %v, first attempt took %v", e.Elapsed, e.Attempts[0].Took)
		}
	})
}

func TestBadRulesAreLoud(t *testing.T) {
	ok := func(error) bool { return true }
	for want, c := range map[string]retry.Config{
		"retry: Config.Rules[0].If is nil, want a function":                                                 {Rules: []retry.Rule{{}}},
		"retry: Config.Rules[1].Attempts is -2, want -1 or more":                                            {Rules: []retry.Rule{{If: ok}, {If: ok, Attempts: -2}}},
		"retry: Config.Rules[0].Cost is -1, want 0 or more":                                                 {Rules: []retry.Rule{{If: ok, Cost: -1}}},
		"retry: Config.Rules[0].Stop is true and other fields are set, want either":                         {Rules: []retry.Rule{{If: ok, Stop: true, Cost: 1}}},
		"retry: Config.Rules[0].Backoff.Base is -1ns, want 0 or more":                                       {Rules: []retry.Rule{{If: ok, Backoff: retry.Backoff{Base: -1}}}},
		"retry: Config.MaxElapsed is -1ns, want 0 or more":                                                  {MaxElapsed: -1},
		"retry: Config.MaxElapsed is 0 where Attempts is -1 and nothing else ends a call, want more than 0": {Attempts: -1, Budget: retry.Unlimited},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("Validate is %v, want %s", err, want)
		}
	}
	for _, endless := range []retry.Config{
		{Rules: []retry.Rule{{If: ok, Attempts: -1}}, Budget: retry.Unlimited},
		{Rules: []retry.Rule{{If: ok, Attempts: -1}}}, // its errors may be rejections, which cost no tokens
		{Rules: []retry.Rule{{If: ok}}, Attempts: -1},
	} {
		if endless.Validate() == nil {
			t.Errorf("%+v has nothing that ends a call, and is accepted", endless)
		}
	}
	for _, c := range []retry.Config{{Attempts: -1}, {Attempts: -1, MaxElapsed: 1, Budget: retry.Unlimited}} {
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	panics(t, "retry: Is of no errors, want 1 or more", func() { retry.Is() })
	panics(t, "retry: Is: error 2 is nil, want an error", func() { retry.Is(errReset, nil) })
}

// A nested retry's first call is its first, whatever the number of the outer one.
func TestAttemptFrom(t *testing.T) {
	p := retry.New(retry.Config{Backoff: instant})
	var got []string
	note := func(ctx context.Context, who string) { got = append(got, fmt.Sprint(who, retry.AttemptFrom(ctx))) }
	err := p.Do(t.Context(), func(ctx context.Context) error {
		note(ctx, "outer ")
		err := mettle.Compose(p).Do(ctx, func(ctx context.Context) error {
			note(context.WithValue(ctx, errReset, 1), "inner ")
			return errReset
		})
		note(ctx, "outer again ")
		return err
	})
	want := "[outer 1 inner 1 inner 2 inner 3 outer again 1 outer 2 inner 1 inner 2 inner 3 outer again 2 outer 3 inner 1 inner 2 inner 3 outer again 3]"
	if fmt.Sprint(got) != want || err == nil {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if n := retry.AttemptFrom(t.Context()); n != 1 {
		t.Errorf("outside of a retry: %d", n)
	}
}

// Jitter is drawn for a rule's backoff also where Config.Backoff has none.
func TestJitterOfARuleAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.New(retry.Config{
			Attempts: 2, Backoff: retry.Constant(0), Budget: retry.Unlimited,
			Rules: []retry.Rule{{If: retry.Is(errDown), Backoff: retry.Backoff{Base: time.Second}}},
		})
		waits := map[time.Duration]bool{}
		for range 20 {
			begun := time.Now()
			p.Do(t.Context(), func(context.Context) error { return errDown })
			waits[time.Since(begun)] = true
		}
		if len(waits) < 10 {
			t.Errorf("20 calls waited for %v, want different times", waits)
		}
	})
}
