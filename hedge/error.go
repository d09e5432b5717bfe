package hedge

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/mark"
)

// ErrLost is the cause of the context of a run that lost: another one has succeeded.
var ErrLost = errors.New("hedge: another run was faster")

// errGone is the error of a further run whose function never returned.
var errGone = errors.New("hedge: a run ended its goroutine")

// An Error says that several runs of a call failed. Of a single run that failed, the error is passed as it is.
type Error struct {
	Name string  // the policy's Config.Name
	Runs []error // why each run failed, the first run first
}

// Error tells all runs' errors in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("hedge: ")
	if e.Name != "" {
		b.WriteString(e.Name + ": ")
	}
	fmt.Fprintf(&b, "all %d runs failed", len(e.Runs))
	for i, err := range e.Runs {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// Unwrap returns Runs, so that errors.Is and errors.As look at the first run first.
func (e *Error) Unwrap() []error { return e.Runs }

func rejected(err error) bool { return errors.Is(err, mettle.ErrRejected) }

// failed returns the error of a call of which no run succeeded.
func (c *call) failed() error {
	if len(c.hedges) == 0 {
		return c.first.err
	}
	e := &Error{Name: c.policy.name}
	ran := false
	for _, r := range c.all() {
		e.Runs = append(e.Runs, r.err)
		ran = ran || !rejected(r.err)
	}
	if ran {
		for i, err := range e.Runs {
			e.Runs[i] = mark.Ran(err) // a rejection of one run does not mean that the function did not run
		}
	}
	return e
}
