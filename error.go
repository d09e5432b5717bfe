package mettle

import (
	"time"

	"github.com/mettle-go/mettle/internal/mark"
)

// ErrRejected answers "did my function run?": errors.Is(err, ErrRejected) is true exactly when a policy
// turned the call away and fn never ran. It is false for an error that reports several attempts of
// which at least one ran. A function that itself calls through policies, and returns the rejection it got there, passes
// that rejection on: wrap it with %v, not %w, where the difference matters.
var ErrRejected = mark.ErrRejected

// A RejectedError is what a policy returns when it did not run fn.
//
// It is ErrRejected to errors.Is and unwraps to Reason, the policy's own sentinel, such as
// breaker.ErrOpen. A gate may return the same value for every rejection of one period, so treat it as
// read-only.
type RejectedError struct {
	Policy string // the kind of policy that rejected, such as "breaker"
	Name   string // that policy's Config.Name; may be empty
	Reason error  // why

	after func() (time.Duration, bool)
}

// Reject makes the error of a rejection. The function after, which may be nil, is asked by RetryAfter, each time
// anew, so that one error can serve a whole period; it must be safe for concurrent use.
func Reject(policy, name string, reason error, after func() (time.Duration, bool)) *RejectedError {
	return &RejectedError{Policy: policy, Name: name, Reason: reason, after: after}
}

// Error names the policy and the reason in one line.
func (e *RejectedError) Error() string {
	who := e.Policy
	if e.Name != "" {
		who += " " + e.Name
	}
	if e.Reason == nil {
		return "mettle: rejected by " + who
	}
	return "mettle: rejected by " + who + ": " + e.Reason.Error()
}

// Is reports whether target is ErrRejected.
func (e *RejectedError) Is(target error) bool { return target == ErrRejected }

// Unwrap returns Reason.
func (e *RejectedError) Unwrap() error { return e.Reason }

// RetryAfter returns how long to wait, from now, before another call can hope to be admitted, and
// whether the policy knows.
func (e *RejectedError) RetryAfter() (time.Duration, bool) {
	if e.after == nil {
		return 0, false
	}
	return e.after()
}

// Permanent marks err as one that no further attempt can mend: a retry stops at once. The result has
// the text of err and unwraps to it. Permanent(nil) is nil.
//
// It says nothing of the dependency: a breaker counts a permanent error as it counts any other. For answers
// such as "not found", which a healthy dependency gives, let the breaker's Classify say Success.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &mark.Permanent{Err: err}
}
