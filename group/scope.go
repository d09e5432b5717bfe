package group

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/mettle-go/mettle/internal/mark"
)

// scope is what Run and Map share: a context that ends with one failure too many, and the account of how the calls ended.
type scope struct {
	parent  context.Context
	ctx     context.Context
	cancel  context.CancelCauseFunc
	allowed int // failures that cancel the scope; below 0 no number does
	crash   bool
	meter   *meter // nil without a Config.Progress
	keeps   int    // failures that the account holds, besides panics; 0 means all

	mu         sync.Mutex // guards the account
	failures   []error
	failed     int
	succeeded  int
	canceled   int
	notStarted int
	stopped    *cause // what Stop cancels the scope with; nil until it is called
}

func (s *scope) open(parent context.Context, cfg Config) {
	s.parent = parent
	s.ctx, s.cancel = context.WithCancelCause(parent)
	s.crash = cfg.Crash
	s.allowed = cfg.MaxFailures
	if s.allowed == 0 {
		s.allowed = 1
	}
	if cfg.Progress != nil {
		s.meter = newMeter(cfg.Progress)
	}
}

// ending is how a call ended.
type ending uint8

const (
	succeeded ending = iota
	failed
	panicked // a failure that cancels the scope, however many are allowed
	canceled
)

// judge returns how a call that returned err ended.
func (s *scope) judge(err error) ending {
	if err == nil {
		return succeeded
	}
	ctxErr := s.ctx.Err()
	if ctxErr == nil {
		return failed
	}
	why := context.Cause(s.ctx)
	if !errors.Is(err, ctxErr) && !errors.Is(err, why) || failsByItself(err, why) {
		return failed
	}
	return canceled
}

// failsByItself reports whether err, a cancellation because of why, also has failures that are nobody's cancellation.
func failsByItself(err, why error) bool {
	if err == nil || reflect.TypeOf(why).Comparable() && err == why {
		return false // why may hold such failures too, but of the task that has told them
	}
	switch x := err.(type) {
	case *Error:
		return x != nil && x.Failed > 0 // an inner scope that this one canceled says so, but may have had failures before
	case *CleanupError:
		return true // its time was its own, and ended by the same context error as the scope may have
	case interface{ As(any) bool }:
		var inner *Error
		var late *CleanupError
		if x.As(&inner) && inner != nil && inner.Failed > 0 || x.As(&late) {
			return true
		}
	}
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		return failsByItself(x.Unwrap(), why)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(x.Unwrap(), func(err error) bool { return failsByItself(err, why) })
	}
	return false
}

// unwound returns how a call ended that did not return, and with which error. It runs in the deferred function, which
// hands over what it recovered. It is not for scopes that crash.
func unwound(recovered any) (ending, error) {
	if recovered == nil {
		return failed, ErrGoexit
	}
	return panicked, newPanicError(recovered)
}

// add accounts for a call that did not succeed, and cancels the scope if that is one failure too many.
func (s *scope) add(how ending, err error) {
	s.mu.Lock()
	if how == canceled {
		s.canceled++
	} else {
		s.failed++
		if s.keeps == 0 || s.failed <= s.keeps || how == panicked {
			s.failures = append(s.failures, err)
		}
	}
	enough := how == panicked || how == failed && s.failed == s.allowed
	s.mu.Unlock()
	if enough {
		s.cancel(distinct(err))
	}
}

// cause is a failure as the cause of the scope's context. Its address tells a task that returns this cause from one
// that fails by itself with an equal error, such as io.EOF.
type cause struct{ error }

func (c *cause) Unwrap() error { return c.error }

// distinct returns err as an error that is no other's equal.
func distinct(err error) error {
	switch err.(type) {
	case *ItemError, *PanicError:
		return err
	default:
		return &cause{err}
	}
}

// close ends the scope, all calls of which have ended, and returns its error, or nil if each call succeeded.
func (s *scope) close() *Error {
	defer s.cancel(nil)
	if s.meter != nil {
		s.meter.last()
	}
	if s.failed+s.canceled+s.notStarted == 0 {
		return nil
	}
	return s.report()
}

// report returns the account of a scope that has not been closed yet.
func (s *scope) report() *Error {
	e := &Error{
		Failures:   s.failures,
		Succeeded:  s.succeeded,
		Failed:     s.failed,
		Canceled:   s.canceled,
		NotStarted: s.notStarted,
	}
	if s.ctx.Err() != nil {
		e.Cause = context.Cause(s.ctx)
		if c, ok := e.Cause.(*cause); ok && context.Cause(s.parent) != e.Cause { // an outer scope's stays as it is
			e.Cause = c.error
		}
	}
	if s.parent.Err() != nil {
		e.parent = mark.Ended(s.parent)
	}
	s.tellStop(e)
	return e
}

// tellStop adds to e what a Stop did to the scope: tasks that it cut off, or kept from being started.
func (s *scope) tellStop(e *Error) {
	if s.stopped == nil {
		return
	}
	cut := context.Cause(s.ctx) == error(s.stopped)
	if !cut && (e.Cause != nil || e.NotStarted == 0) {
		return
	}
	e.Cause = ErrStopped
	if e.parent == nil {
		e.parent = ErrStopped
	} else {
		e.parent = fmt.Errorf("%w; %w", ErrStopped, e.parent)
	}
}
