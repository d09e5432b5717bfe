package mettle

import (
	"context"
	"errors"
)

// A Verdict says what the end of a call means to the policies that count: retry and breaker share it.
type Verdict uint8

const (
	// Success is a call that worked: it is not retried and speaks for the dependency.
	Success Verdict = iota
	// Failure is a call that failed: it may be retried and speaks against the dependency.
	Failure
	// Ignore is a call that says nothing of the dependency: it is not retried and not counted.
	Ignore
)

// String returns the verdict's name in lower case.
func (v Verdict) String() string {
	switch v {
	case Success:
		return "success"
	case Failure:
		return "failure"
	default:
		return "ignore"
	}
}

// Judge returns the verdict on a call that ended with err under ctx, the context of the policy that
// asks (not of the single run). In this order:
//
//   - nil is Success;
//   - a rejection by an inner policy is Ignore, since the function did not run;
//   - any error while ctx is canceled is Ignore, since the caller left;
//   - an expired deadline, whoever set it, is Failure, so that a breaker inside an outer timeout
//     trips on a dependency that hangs;
//   - then classify decides, if it is not nil; it is never asked about nil;
//   - the rest is Failure.
func Judge(ctx context.Context, err error, classify func(error) Verdict) Verdict {
	if err == nil {
		return Success
	}
	if errors.Is(err, ErrRejected) {
		return Ignore
	}
	switch ctxErr := ctx.Err(); {
	case errors.Is(ctxErr, context.Canceled):
		return Ignore
	case ctxErr != nil, errors.Is(err, context.DeadlineExceeded):
		return Failure
	}
	if classify != nil {
		return classify(err)
	}
	return Failure
}
