package group

import (
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// A PanicError is the failure of a task that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // of its goroutine at the panic, as debug.Stack formats it

	where string // the function, file and line that panicked; may be empty
}

// newPanicError describes the panic being recovered. It must be called before the deferred function that recovered
// returns: the frames that panicked are still on the stack then.
func newPanicError(value any) *PanicError {
	return &PanicError{Value: value, Stack: debug.Stack(), where: origin()}
}

// Error tells the value and where the panic came from, in one line; Stack tells the rest.
func (e *PanicError) Error() string {
	text := strings.ReplaceAll(fmt.Sprint(e.Value), "\n", "; ")
	if e.where == "" {
		return "group: panic: " + text
	}
	return "group: panic: " + text + " [" + e.where + "]"
}

// Unwrap returns Value if it is an error, or else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// frames returns the calls on this goroutine's stack that are still to be looked at, innermost first.
func frames() *runtime.Frames {
	var pcs [64]uintptr
	return runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
}

// origin returns the innermost call outside of the runtime below the panic that is on the stack.
func origin() string {
	stack, below := frames(), false
	for more := true; more; {
		var f runtime.Frame
		f, more = stack.Next()
		switch {
		case f.Function == "runtime.gopanic":
			below = true
		case below && !strings.HasPrefix(f.Function, "runtime.") && !strings.HasPrefix(f.Function, "internal/runtime/"):
			return fmt.Sprintf("%s at %s:%d", f.Function, filepath.Base(f.File), f.Line)
		}
	}
	return ""
}

// panicking reports whether a deferred function runs because of a panic, and not of runtime.Goexit. It does not
// recover, and that is what it is for: a scope that crashes must leave the panic as it is, yet not take it for an
// exit.
func panicking() bool {
	stack := frames()
	for more := true; more; {
		var f runtime.Frame
		f, more = stack.Next()
		switch f.Function {
		case "runtime.gopanic":
			return true
		case "runtime.Goexit":
			return false
		}
	}
	return false
}
