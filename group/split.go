package group

import (
	"reflect"
	"slices"
	"strings"
)

// Err returns e as an error, nil if e is nil.
//
// Use it to return a part of a Split: a nil *Error that is returned as it is becomes an error that is not nil.
func (e *Error) Err() error {
	if e == nil {
		return nil
	}
	return e
}

// Split takes e apart into the failures that match and the rest. Either is nil if it would hold nothing, and then the
// other is e itself.
//
// Split looks into the errors of inner scopes, and each part keeps their structure: the failures of an inner scope are
// found, in each part, within an *Error of their own, wrapped as it was, also by a *ItemError. Each failure ends up in
// exactly one part, in the order it had. What match is given is a single failure, together with what wraps it up to e, so
// that errors.Is and errors.As find both the *ItemError and what it holds, but no sibling. An error that joins several, and
// a *PanicError, is one failure.
//
// How the context given to Run or Map ended is matched like a failure: it is in matched only if match says so. Else
// nothing of it is lost by handling all failures, and the rest is still a context error to errors.Is.
//
// The account stays with the rest: Succeeded, Canceled, NotStarted and what Item knows of canceled and never started
// items. In matched they are 0, except when there is no rest. Both parts have the Cause. Failed is the number of Failures
// of the part, and in the rest also counts those that a Stream has not kept; both add up to e's, unless the failures of an
// inner scope went both ways. The messages of both tell the
// total of the whole scope.
//
// An *Error without failures, since all that happened was that its scope was canceled, is matched as a whole.
//
// Split panics if match is nil. It calls match once for each failure and for each context that ended.
func (e *Error) Split(match func(error) bool) (matched, rest *Error) {
	if match == nil {
		panic("group: Split: match is nil, want a function")
	}
	if e == nil {
		return nil, nil
	}
	if len(e.Failures) == 0 {
		if match(e) {
			return e, nil
		}
		return nil, e
	}
	in, out := make([]error, len(e.Failures)), make([]error, len(e.Failures))
	for i, err := range e.Failures {
		in[i], out[i] = split(err, match)
	}
	parent := e.parent != nil && match(e.parent)
	if !parent && none(in) {
		return nil, e
	}
	if (parent || e.parent == nil) && none(out) {
		return e, nil
	}

	matched = &Error{Cause: e.Cause, ran: e.ran, items: e.items, started: e.items, handled: e.handled}
	left := *e
	rest = &left
	matched.whole, rest.whole = e.total(), e.total()
	if parent {
		matched.parent, rest.parent = e.parent, nil
	}
	matched.missed, rest.missed = e.divide(in, out)
	matched.hold(in)
	rest.hold(out)
	rest.Failed += e.Failed - len(e.Failures) // those that a Stream has not kept
	return matched, rest
}

// divide returns which items that did not succeed go with the failures in, and which with those in out and stay behind.
func (e *Error) divide(in, out []error) (matched, rest []*ItemError) {
	next := 0 // both are in the order of the items, and canceled ones are no failures
	for _, m := range e.missed {
		if next == len(e.Failures) || e.Failures[next] != error(m) {
			rest = append(rest, m)
			continue
		}
		if item, ok := in[next].(*ItemError); ok {
			matched = append(matched, item)
		}
		if item, ok := out[next].(*ItemError); ok {
			rest = append(rest, item)
		}
		next++
	}
	return matched, rest
}

// hold makes e's failures those of errs that are not nil.
func (e *Error) hold(errs []error) {
	e.Failures = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	e.Failed = len(e.Failures)
}

func none(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return err != nil })
}

// split is Split for one failure of a scope: one of the results is nil, unless err holds failures of an inner scope.
func split(err error, match func(error) bool) (matched, rest error) {
	inner := nested(err)
	if inner == nil {
		if match(err) {
			return err, nil
		}
		return nil, err
	}
	in, out := inner.Split(func(leaf error) bool { return match(rewrap(err, leaf)) })
	switch {
	case out == nil:
		return err, nil
	case in == nil:
		return nil, err
	}
	return rewrap(err, in), rewrap(err, out)
}

// nested returns the error of an inner scope that err is or wraps, or nil if err is one failure. A panic that carries such
// an error is still one panic.
func nested(err error) *Error {
	for {
		switch x := err.(type) {
		case *Error:
			if x == nil || len(x.Failures) == 0 {
				return nil
			}
			return x
		case *PanicError:
			return nil
		case interface{ Unwrap() error }:
			err = x.Unwrap()
		default:
			return nil
		}
	}
}

// rewrap returns part wrapped in all that wraps the *Error which nested finds in err.
func rewrap(err, part error) error {
	switch x := err.(type) {
	case *Error:
		return part
	case *ItemError:
		return &ItemError{Index: x.Index, Err: rewrap(x.Err, part)}
	default:
		inner := err.(interface{ Unwrap() error }).Unwrap()
		return &around{outer: err, inner: inner, part: rewrap(inner, part)}
	}
}

// around is an error that wraps another, with only a part of what it wraps.
//
// It answers for outer in Is and As, since to unwrap to outer would lead on to all that outer wraps.
type around struct{ outer, inner, part error }

// Error returns the text of outer with part's in the place of inner's, if that is there.
func (a *around) Error() string {
	return strings.Replace(a.outer.Error(), a.inner.Error(), a.part.Error(), 1)
}

func (a *around) Unwrap() error { return a.part }

func (a *around) Is(target error) bool {
	if reflect.TypeOf(target).Comparable() && a.outer == target {
		return true
	}
	x, ok := a.outer.(interface{ Is(error) bool })
	return ok && x.Is(target)
}

func (a *around) As(target any) bool {
	to := reflect.ValueOf(target).Elem()
	if reflect.TypeOf(a.outer).AssignableTo(to.Type()) {
		to.Set(reflect.ValueOf(a.outer))
		return true
	}
	x, ok := a.outer.(interface{ As(any) bool })
	return ok && x.As(target)
}
