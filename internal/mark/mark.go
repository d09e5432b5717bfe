// Package mark holds what mettle's errors say to its policies beside their text: rejected (the
// function did not run) and permanent (do not try again). The root package names both for users;
// policies read them here. It also tells how a context ended, in one error.
package mark

import (
	"context"
	"errors"
	"fmt"
)

// ErrRejected is mettle.ErrRejected.
var ErrRejected = errors.New("mettle: rejected")

// Permanent is the error made by mettle.Permanent.
type Permanent struct{ Err error }

func (e *Permanent) Error() string { return e.Err.Error() }
func (e *Permanent) Unwrap() error { return e.Err }

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
