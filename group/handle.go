package group

import (
	"errors"
	"fmt"

	"github.com/mettle-go/mettle"
)

// A Handler handles the failures of one kind. On and If make it.
type Handler struct {
	match func(error) bool
	fn    func(*Error) error
}

// On returns a Handler that calls fn with the failures that have an E in their chain, as errors.AsType finds it: all of them,
// in one *Error. What fn returns takes their place; nil means that they are handled. On panics if fn is nil.
//
// An E that all failures are, such as error or, from Map, *ItemError, handles everything that is left.
func On[E error](fn func(*Error) error) Handler {
	if fn == nil {
		panic("group: On: fn is nil, want a function")
	}
	return Handler{fn: fn, match: func(err error) bool {
		_, ok := errors.AsType[E](err)
		return ok
	}}
}

// If is On for the failures that match, as for Error.Split. If panics if match or fn is nil.
func If(match func(error) bool, fn func(*Error) error) Handler {
	if match == nil || fn == nil {
		panic("group: If: match or fn is nil, want functions")
	}
	return Handler{match: match, fn: fn}
}

// Handle handles failures by their kind: what Python writes as except*.
//
// Each handler in turn is called with those failures in e, and in the errors of inner scopes, that it matches and no handler
// before it did; once with all of them, in an *Error of the structure of e, or not at all if there is none. Error.Split
// says how failures are matched and what goes where. What no handler matched, and what the handlers returned, is the
// result: nil if there is nothing of either, the one error if there is one, which for unmatched failures alone is
// an *Error, or e itself; or an *Error that holds what the handlers returned, in their order, and then the rest.
//
// A scope that ended with its caller's context stays a context error until a handler matches that. Once everything is matched,
// the tasks canceled and never started because of it count as handled too; the *Error of the last handler called
// has their account.
//
// Handle runs the handlers in the caller's goroutine. A panic of one passes through, and the rest is lost with it. It returns
// nil for a nil e, and panics for a Handler that neither On nor If made.
//
// For an error that need not be an *Error there is the function Handle.
func (e *Error) Handle(handlers ...Handler) error {
	left, rest := e.handle(handlers)
	return e.join(left, rest.Err())
}

// Handle is Error.Handle for any error: nil is nil, an *Error is handled by its method, and any other error as the only
// failure of a scope, which comes back as it was if no handler matches it. If it wraps an *Error, the failures therein
// are handled each for itself, and what is left of them comes back wrapped as it was.
func Handle(err error, handlers ...Handler) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok {
		return e.Handle(handlers...)
	}
	one := &Error{Failures: []error{err}, Failed: 1, ran: !errors.Is(err, mettle.ErrRejected)}
	left, rest := one.handle(handlers)
	if rest == nil {
		return one.join(left, nil)
	}
	return one.join(left, rest.Failures[0])
}

// handle runs the handlers on e and returns what they returned and what none of them matched.
func (e *Error) handle(handlers []Handler) (left []error, rest *Error) {
	for i, h := range handlers {
		if h.fn == nil {
			panic(fmt.Sprintf("group: Handle: handler %d is the zero Handler, want one made by On or If", i))
		}
	}
	rest = e
	for _, h := range handlers {
		var part *Error
		if part, rest = rest.Split(h.match); part == nil {
			continue
		}
		err := h.fn(part)
		if part, ok := err.(*Error); ok {
			err = part.Err() // a handler that returns a part of a Split means nil by nil
		}
		if err != nil {
			left = append(left, err)
		}
	}
	return left, rest
}

// join returns what handling e left as one error.
func (e *Error) join(left []error, rest error) error {
	if rest != nil {
		left = append(left, rest)
	}
	switch len(left) {
	case 0:
		return nil
	case 1:
		return left[0]
	}
	return &Error{Failures: left, Failed: len(left), ran: e.ran, handled: true}
}
