package retry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/retry"
)

// busy is a server's answer with a hint.
type busy struct {
	after time.Duration
	known bool
}

func (b busy) Error() string                     { return "busy" }
func (b busy) RetryAfter() (time.Duration, bool) { return b.after, b.known }

// waited returns how long a retry with a backoff of one second waits after err, or -1 if it gives up.
func waited(t *testing.T, c retry.Config, err error) (wait time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		c.Attempts = 2
		start := time.Now()
		wait = -1
		first := true
		retry.New(c).Do(t.Context(), func(context.Context) error {
			if first {
				first = false
				return err
			}
			wait = time.Since(start)
			return nil
		})
		if wait < 0 && time.Since(start) != 0 {
			t.Errorf("gave up after %v, want at once", time.Since(start))
		}
	})
	return wait
}

func TestHintsAreFoundAnywhereInTheError(t *testing.T) {
	hint := busy{10 * time.Second, true}
	silent := busy{10 * time.Second, false}
	rejection := mettle.Reject("bulkhead", "", errors.New("full"), nil)
	for name, err := range map[string]error{
		"as it is":                        hint,
		"wrapped":                         fmt.Errorf("get: %w", hint),
		"joined, second":                  errors.Join(errDown, hint),
		"behind one that knows nothing":   errors.Join(silent, hint),
		"beneath a rejection of another":  errors.Join(mark.Ran(rejection), hint),
		"in an error that hides its mark": mark.Ran(errors.Join(mark.ErrRejected, hint)),
		"in an inner retry's":             &retry.ExhaustedError{Attempts: []retry.Attempt{{N: 1, Err: hint}}, Reason: retry.ErrAttempts},
		"of a rejection that fn had within and does not pass on": mark.Ran(
			mettle.Reject("limit", "", errors.New("limited"), func() (time.Duration, bool) { return 10 * time.Second, true })),
	} {
		got := waited(t, retry.Config{Backoff: retry.Constant(time.Second)}, err)
		if got < 10*time.Second || got > 11*time.Second {
			t.Errorf("%s: waited %v, want 10s to 11s", name, got)
		}
	}
	for name, err := range map[string]error{
		"none":              errDown,
		"unknown":           silent,
		"zero":              busy{0, true},
		"negative":          busy{-time.Hour, true},
		"most negative":     busy{math.MinInt64, true},
		"in a permanent":    errors.Join(errDown, silent),
		"reason is missing": &retry.ExhaustedError{},
	} {
		if got := waited(t, retry.Config{Backoff: retry.Constant(time.Second)}, err); got != time.Second {
			t.Errorf("%s: waited %v, want the backoff's 1s", name, got)
		}
	}
}

func TestMaxHint(t *testing.T) {
	for _, c := range []struct {
		max, hint time.Duration
		giveUp    bool
	}{
		{0, 5 * time.Minute, false},
		{0, 5*time.Minute + 1, true},
		{time.Second, time.Minute, true},
		{time.Hour, time.Hour, false},
		{math.MaxInt64, 24 * time.Hour, false},
		{0, math.MaxInt64, true},
	} {
		got := waited(t, retry.Config{Backoff: instant, MaxHint: c.max}, busy{c.hint, true})
		if c.giveUp && got != -1 || !c.giveUp && (got < c.hint || got > c.hint+c.hint/10) {
			t.Errorf("MaxHint %v, hint %v: waited %v", c.max, c.hint, got)
		}
		fn, _ := script(busy{c.hint, true})
		if c.giveUp {
			if e := exhausted(t, retry.New(retry.Config{MaxHint: c.max}).Do(t.Context(), fn)); e.Reason != retry.ErrHint {
				t.Errorf("reason %v, want ErrHint", e.Reason)
			}
		}
	}
}
