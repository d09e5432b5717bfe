package mettlehttp

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/internal/mark"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

var (
	// ErrHeld: the host asked, in answer to another request, to be left alone for longer than this one could wait. It is the Reason of a
	// *mettle.RejectedError, whose RetryAfter says how much of that time is left.
	ErrHeld = errors.New("mettlehttp: the host asked for a pause")
	// ErrBody: the request's body could not be sent again, because it has no GetBody and more of it was read than Config.MaxBuffer, or because
	// GetBody failed. The error that made sending it again necessary is in the same error.
	ErrBody = errors.New("mettlehttp: the request's body cannot be sent again")
	// ErrReplayed: net/http sent the request once more by itself, since the connection that it had kept for it was dead. It is told of
	// in events and in the history of attempts.
	ErrReplayed = errors.New("mettlehttp: sent again by net/http: the connection had died")
)

// A StatusError is how policies hear of an answer that is a failure, and how the history of attempts in a *retry.ExhaustedError tells of it. A
// Transport never returns one by itself: its caller gets the response.
type StatusError struct {
	Code int // such as 503

	after  time.Duration
	hinted bool
}

// Error tells the status in one line.
func (e *StatusError) Error() string {
	if text := http.StatusText(e.Code); text != "" {
		return fmt.Sprintf("status %d %s", e.Code, text)
	}
	return fmt.Sprintf("status %d", e.Code)
}

// RetryAfter returns the wait that the answer's header field Retry-After asked for when it arrived, and whether there was one.
func (e *StatusError) RetryAfter() (time.Duration, bool) { return e.after, e.hinted }

// A failure is the error of an attempt, with what the policies need to know of it.
type failure struct {
	call    *call
	err     error
	verdict mettle.Verdict
	replays int  // times that net/http sent the request again in that attempt
	usedUp  bool // these used up the attempts
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// bare returns err without what only the policies need to know.
func bare(err error) error {
	switch e := err.(type) {
	case *failure:
		return e.err
	case *mark.Permanent:
		if f, ok := e.Err.(*failure); ok {
			return f.err
		}
	case *timeout.Error:
		return &timeout.Error{Name: e.Name, After: e.After, Err: bare(e.Err)}
	case *hedge.Error:
		runs := make([]error, len(e.Runs))
		for i, run := range e.Runs {
			runs[i] = bare(run)
		}
		return &hedge.Error{Name: e.Name, Runs: runs}
	}
	return err
}

// An exhausted error is a *retry.ExhaustedError that tells whether the last attempt timed out, as url.Error asks for.
type exhausted struct{ *retry.ExhaustedError }

func (e exhausted) Unwrap() error { return e.ExhaustedError }

func (e exhausted) Timeout() bool {
	n := len(e.Attempts) // never 0
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Attempts[n-1].Err)
	return ok && t.Timeout()
}
