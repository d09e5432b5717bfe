// Package mark holds what mettle's errors say to its policies beside their text: rejected (the
// function did not run) and permanent (do not try again). The root package names both for users;
// policies read them here. It also tells how a context ended, in one error.
package mark

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrRejected is mettle.ErrRejected.
var ErrRejected = errors.New("mettle: rejected")

// Permanent is the error made by mettle.Permanent.
type Permanent struct{ Err error }

func (e *Permanent) Error() string { return e.Err.Error() }
func (e *Permanent) Unwrap() error { return e.Err }

// Marks are what an error says to a policy.
type Marks struct {
	Rejected  bool // it is ErrRejected to errors.Is
	Permanent bool // it has a *Permanent in its tree
	Special   bool // its tree has more than plain errors and simple wrappers: a RetryAfter may be in it
}

// Read returns the marks of err. It is one walk of the error's tree instead of one for each mark, and of a chain of
// simple wrappers it asks each link one question only.
func Read(err error) Marks {
	var m Marks
	for err != nil {
		if err == ErrRejected {
			m.Rejected = true
			return m
		}
		// The interfaces are in one type switch, in this order, because the runtime remembers what a switch decided for a
		// type, while every assertion for itself costs as much as the whole switch.
		switch e := err.(type) {
		case *Permanent:
			m.Permanent = true
			err = e.Err
		case interface{ Is(error) bool }, interface{ As(any) bool }, interface{ Unwrap() []error },
			interface{ RetryAfter() (time.Duration, bool) }:
			m.Special = true
			m.Rejected = errors.Is(err, ErrRejected)
			if !m.Permanent {
				_, m.Permanent = errors.AsType[*Permanent](err)
			}
			return m
		case interface{ Unwrap() error }:
			err = e.Unwrap()
		default:
			return m
		}
	}
	return m
}

// Ran returns err without its rejected mark, for an error that reports several attempts of which
// one did run: errors.Is(err, mettle.ErrRejected) answers "did my function run?", so it must be false there.
// All else that err says is kept. An err that carries no such mark is returned as it is.
func Ran(err error) error {
	if !errors.Is(err, ErrRejected) {
		return err
	}
	return &ran{err}
}

// ran has no Unwrap on purpose: errors.Is would walk past its Is to the mark.
type ran struct{ err error }

func (e *ran) Error() string        { return e.err.Error() }
func (e *ran) Is(target error) bool { return target != ErrRejected && errors.Is(e.err, target) }
func (e *ran) As(target any) bool   { return errors.As(e.err, target) }

// Ended returns what to report of a context that has ended: one error that is both what ctx says and its cause.
func Ended(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}
