package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/mettle-go/mettle/fetch"
)

// The exit codes, which scripts rely on. A run that a signal ended has 128 and the number of the signal.
const (
	exitOK      = 0
	exitSome    = 1 // some failed
	exitUsage   = 2 // the command line, or an input that cannot be read
	exitBudget  = 3 // more failures than --max-failures allows
	exitNothing = 4 // all failed
	exitTime    = 5 // --max-time is over, and something is left to do
	exitOutput  = 6 // the results cannot be written
)

func exitSignal(s syscall.Signal) int { return 128 + int(s) }

// exitCode is that of a run that came to its end.
func exitCode(c fetch.Counts) int {
	switch {
	case c.Failed == 0:
		return exitOK
	case c.OK == 0:
		return exitNothing
	}
	return exitSome
}

// A failure ends the command: with a code, with a line for people that says what is wrong, and with another that says what to do.
// Either may be empty.
type failure struct {
	code int
	text string
	hint string
}

func (f *failure) Error() string { return f.text }

func failed(code int, format string, args ...any) *failure {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

func (f *failure) hinting(format string, args ...any) *failure {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// report says on w why the command ends, and returns its exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	f, ok := errors.AsType[*failure](err)
	if !ok {
		f = failed(exitUsage, "%v", err)
	}
	if f.text != "" {
		fmt.Fprintf(w, "mettle: %s\n", f.text)
	}
	if f.hint != "" {
		fmt.Fprintf(w, "hint: %s\n", f.hint)
	}
	return f.code
}
