package retry

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	core "github.com/mettle-go/mettle/internal/core/retry"
	"github.com/mettle-go/mettle/internal/mark"
)

// Why there was no further attempt: the Reason of an ExhaustedError, unless the caller's context ended.
var (
	// ErrAttempts: as many attempts as allowed were made.
	ErrAttempts = errors.New("retry: attempts used up")
	// ErrPermanent: the last error was marked by mettle.Permanent.
	ErrPermanent = errors.New("retry: permanent error")
	// ErrStop: a rule with Stop matched.
	ErrStop = errors.New("retry: stopped by a rule")
	// ErrBudget: the budget had no tokens for another attempt.
	ErrBudget = errors.New("retry: budget used up")
	// ErrElapsed: the next wait would have ended after Config.MaxElapsed.
	ErrElapsed = errors.New("retry: time for the call used up")
	// ErrHint: the server asked for a longer wait than Config.MaxHint.
	ErrHint = errors.New("retry: asked to wait longer than allowed")
	// ErrDeadline: the next wait would have passed the context's deadline.
	ErrDeadline = errors.New("retry: no time left for another attempt")
	// ErrTurnedAway: an inner policy, such as an open breaker, rejected an attempt.
	ErrTurnedAway = errors.New("retry: rejected by an inner policy")
)

var reasons = [...]error{
	core.Attempts:  ErrAttempts,
	core.Permanent: ErrPermanent,
	core.Rule:      ErrStop,
	core.Hint:      ErrHint,
	core.Elapsed:   ErrElapsed,
	core.Deadline:  ErrDeadline,
}

// An Attempt is one call and how it ended.
type Attempt struct {
	N    int           // from 1
	Err  error         // how it ended
	Took time.Duration // how long it ran; 0 for a first attempt whose begin nobody timed (see ExhaustedError)
	Wait time.Duration // how long the retry waited before it
}

// An ExhaustedError says that a call failed for good, and how.
//
// A retry reads no clock before its first attempt. When no outer policy of the stack did so either, as a timeout anywhere in
// the stack does, the first attempt's Took is 0 and Elapsed counts from its end.
type ExhaustedError struct {
	Name     string        // the policy's Config.Name
	Attempts []Attempt     // in order; of more than 16 the first 8 and the last 8
	Elapsed  time.Duration // of the whole call
	Reason   error         // why there was no further attempt
}

// Error tells how many attempts there were, why they ended, and the last error, in one line.
func (e *ExhaustedError) Error() string {
	var b strings.Builder
	b.WriteString("retry: ")
	if e.Name != "" {
		b.WriteString(e.Name + ": ")
	}
	var last Attempt
	if n := len(e.Attempts); n > 0 {
		last = e.Attempts[n-1]
	}
	plural := "s"
	if last.N == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, "gave up after %d attempt%s in %v", last.N, plural, e.Elapsed.Round(time.Microsecond))
	if e.Reason != nil {
		b.WriteString(" (" + strings.TrimPrefix(e.Reason.Error(), "retry: ") + ")")
	}
	if last.Err != nil {
		b.WriteString(": " + last.Err.Error())
	}
	if err := e.telling(); err != last.Err {
		b.WriteString("; before that: " + err.Error())
	}
	return strings.ReplaceAll(b.String(), "\n", "; ")
}

// telling returns the last error that says what went wrong: not that of an attempt which was rejected, or which only repeats
// Reason, as the end of the caller's context does. If there is none, it is the last error.
func (e *ExhaustedError) telling() error {
	var last error
	for _, a := range slices.Backward(e.Attempts) {
		if a.Err == nil {
			continue
		}
		if last == nil {
			last = a.Err
		}
		if !errors.Is(a.Err, mark.ErrRejected) && (e.Reason == nil || !strings.Contains(e.Reason.Error(), a.Err.Error())) {
			return a.Err
		}
	}
	return last
}

// Unwrap returns every attempt's error, the last first, and then Reason. If some attempts were rejected by an inner policy and others ran, the
// rejections are returned without their mettle.ErrRejected: the function did run. So is a Reason that is a rejection,
// as the cause of a context may be.
func (e *ExhaustedError) Unwrap() []error {
	ran := false
	for _, a := range e.Attempts {
		ran = ran || !errors.Is(a.Err, mark.ErrRejected)
	}
	errs := make([]error, 0, len(e.Attempts)+1)
	for i := len(e.Attempts) - 1; i >= 0; i-- {
		errs = append(errs, e.Attempts[i].Err)
	}
	errs = append(errs, e.Reason)
	if ran {
		for i, err := range errs {
			errs[i] = mark.Ran(err)
		}
	}
	return errs
}

// LogValue is the error as a group: the policy's name, elapsed and reason, and in a group of its own, under its number, what each attempt
// kept says. A handler of package slog asks for it where the *ExhaustedError itself is the attribute, not an error that wraps it.
func (e *ExhaustedError) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 6)
	if e.Name != "" {
		attrs = append(attrs, slog.String("name", e.Name))
	}
	attrs = append(attrs, slog.Duration("elapsed", e.Elapsed))
	if e.Reason != nil {
		attrs = append(attrs, slog.String("reason", e.Reason.Error()))
	}
	attempts := make([]any, len(e.Attempts))
	for i, a := range e.Attempts {
		attempts[i] = slog.Group(strconv.Itoa(a.N), "error", fmt.Sprint(a.Err), "took", a.Took, "wait", a.Wait)
	}
	attrs = append(attrs, slog.Group("attempts", attempts...))
	return slog.GroupValue(attrs...)
}
