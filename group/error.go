package group

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mettle-go/mettle/internal/mark"
)

var (
	// ErrNotStarted is what Error.Item and the results of Settle and Stream say of an item that was never started, since
	// the scope was canceled first.
	ErrNotStarted = errors.New("group: never started")
	// ErrGoexit is the failure of a task that ended its goroutine by runtime.Goexit, as testing.T.FailNow does.
	ErrGoexit = errors.New("group: task ended by runtime.Goexit")

	// errBody is what the context of the tasks tells them of a body that panicked, or ended its goroutine.
	errBody = errors.New("group: the body did not return")
)

// An Error says how the tasks of a scope ended that did not all succeed.
//
// It unwraps to each failure and, if the context given to Run or Map has ended, to that context's error and cause, or to
// ErrStopped if a Stop cut tasks off or kept them from being started. It is never unwrapped to a single failure, so callers find one type whatever the number. A failure may itself be or wrap the
// *Error of a scope within the task: errors form a tree as scopes do. Handle and Split take it apart by kinds of failures.
// Printed by %v it is one line, by %+v a line for each kind of failure.
//
// Treat an Error as read-only. A nil *Error is no failure to each of its methods; see Err before you return one.
type Error struct {
	// Failures holds each failure: a *ItemError each in the order of the items, from Map and First; what the task or the
	// body returned, or its *PanicError, in the order in which they happened, from Run. From Stream they are *ItemErrors
	// in the order in which they happened, and not always all: see there.
	Failures []error
	// Cause is why the scope was canceled: the failure that was one too many, or the cause of the context given to
	// Run or Map, or ErrStopped. Nil means that it was not, and everything was tried. Both parts of a Split keep it.
	Cause error

	// How many tasks or items ended in which way; each counts once. The body of Run counts as a task if it returned
	// an error.
	Succeeded  int
	Failed     int // len(Failures), or more from Stream
	Canceled   int // returned the scope's own cancellation, after it
	NotStarted int

	parent  error        // how the context given to Run or Map ended, or ErrStopped; nil if the scope ended by itself
	ran     bool         // some function of the user's did run
	items   int          // of Map or First; or noItems
	started int          // the items below this one were started
	missed  []*ItemError // failed and canceled items by index
	whole   int          // of a part made by Split: how many tasks or items the scope had; else 0
	handled bool         // made by Handle, of errors that do not come from one scope
}

// noItems stands for the items of a Stream, which are counted but not kept.
const noItems = -1

// told is how many failures a message tells, and widest how many bytes of each.
const (
	told   = 3
	widest = 500
)

// Error tells in one line how many tasks ended in which way and the first three failures, each cut to 500 bytes. Print
// an Error by %+v to see more.
func (e *Error) Error() string {
	if e == nil {
		return "group: no failure"
	}
	why := e.Failures[:min(told, len(e.Failures))]
	if e.parent != nil {
		why = append(slices.Clone(why), e.parent)
	}
	var reasons []string
	for _, err := range why {
		reasons = append(reasons, line(err))
	}
	if more := max(len(e.Failures), e.Failed) - told; more > 0 {
		reasons = slices.Insert(reasons, told, fmt.Sprintf("and %d more", more))
	}
	parts := slices.DeleteFunc([]string{e.counts(), strings.Join(reasons, "; ")}, func(s string) bool { return s == "" })
	return "group: " + strings.Join(parts, ": ")
}

// counts tells how many ended in which way but well.
func (e *Error) counts() string {
	if e.handled {
		return fmt.Sprintf("handled, with %d left", len(e.Failures))
	}
	noun := "task"
	if e.items != 0 {
		noun = "item"
	}
	if e.total() != 1 {
		noun += "s"
	}
	var counts []string
	for _, c := range []struct {
		n   int
		did string
	}{{e.Failed, "failed"}, {e.Canceled, "canceled"}, {e.NotStarted, "never started"}} {
		switch {
		case c.n > 0 && counts == nil:
			counts = append(counts, fmt.Sprintf("%d of %d %s %s", c.n, e.total(), noun, c.did))
		case c.n > 0:
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.did))
		}
	}
	return strings.Join(counts, ", ")
}

// total returns how many tasks or items the scope had.
func (e *Error) total() int {
	if e.whole > 0 {
		return e.whole
	}
	return e.Succeeded + e.Failed + e.Canceled + e.NotStarted
}

// lines puts what has several lines into one. A bare carriage return would let a terminal overwrite it.
var lines = strings.NewReplacer("\r\n", "; ", "\n", "; ", "\r", "; ")

// line returns err's text as a part of a longer line.
func line(err error) string {
	s := strings.TrimSpace(strings.TrimPrefix(err.Error(), "group: "))
	return cut(lines.Replace(s[:min(len(s), widest+1)]))
}

// cut returns s, or its beginning if it is too long to be read.
func cut(s string) string {
	if len(s) <= widest {
		return s
	}
	return strings.ToValidUTF8(s[:widest], "") + "…"
}

// Unwrap returns Failures and, if the context given to Run or Map has ended, an error that is both that context's
// error and its cause; or ErrStopped; or one that is all three. If a policy rejected some calls and others ran, the rejections are returned without their
// mettle.ErrRejected: functions did run. Failures and Item still tell it of each.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	errs := make([]error, 0, len(e.Failures)+1)
	for _, err := range e.Failures {
		if e.ran {
			err = mark.Ran(err)
		}
		errs = append(errs, err)
	}
	if e.parent != nil {
		parent := e.parent
		if e.ran {
			parent = mark.Ran(parent) // a caller's context may have ended by a rejection
		}
		errs = append(errs, parent)
	}
	return errs
}

// Item returns how the i-th item of Map, or function of First, ended: nil if it succeeded, ErrNotStarted if it was never started, or else a
// *ItemError, which holds its failure or what it returned when it was canceled. Of a nil *Error every item succeeded.
// Of a part made by Split, Item tells only what that part holds, and returns nil for all else. It takes a binary search
// among the items that did not succeed. Item panics if there is no i-th item; an error of Run or Stream has none.
func (e *Error) Item(i int) error {
	if e == nil {
		return nil
	}
	if i < 0 || i >= e.items {
		panic(fmt.Sprintf("group: Error.Item of %d, want an index into %d items", i, max(e.items, 0)))
	}
	if i >= e.started {
		return ErrNotStarted
	}
	at, found := slices.BinarySearchFunc(e.missed, i, func(m *ItemError, i int) int { return m.Index - i })
	if !found {
		return nil
	}
	return e.missed[at]
}

// An ItemError says which item of Map or Stream, or which function of First, did not succeed.
type ItemError struct {
	Index int   // of the item: in the slice given to Map, by the order in which Stream took it, or among the fns of First
	Err   error // what its call returned, or a *PanicError, ErrGoexit or, from Stream, ErrNotStarted
}

// Error tells the index and the error.
func (e *ItemError) Error() string {
	return fmt.Sprintf("group: item %d: %s", e.Index, strings.TrimPrefix(e.Err.Error(), "group: "))
}

// Unwrap returns Err.
func (e *ItemError) Unwrap() error { return e.Err }
