package mettle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mettle-go/mettle/internal/mark"
)

// Fallback returns a function that calls fns in order until one succeeds and returns its value. If all fail, its
// error says why each did, in order, and unwraps to all of them. When the caller's context ends,
// no further link is tried. Each link may have policies of its own: see Bind. A link made by When is used only
// after the errors it names. Fallback panics if there is no function, or a nil one.
//
// It is short for FallbackWith with the zero FallbackConfig. A chain whose first function succeeds costs nothing but the call.
func Fallback[T any](fns ...func(context.Context) (T, error)) func(context.Context) (T, error) {
	return FallbackWith(FallbackConfig{}, fns...)
}

// A FallbackConfig says who is told of fallbacks.
type FallbackConfig struct {
	// Name tells the chain in events. It may be empty.
	Name string
	// Observer is told, by an Event of kind FellBack, of each function after the first that was used, once it has returned. Nil
	// means nobody.
	Observer Observer
}

// FallbackWith is Fallback with a name and an observer.
func FallbackWith[T any](c FallbackConfig, fns ...func(context.Context) (T, error)) func(context.Context) (T, error) {
	if len(fns) == 0 {
		panic("mettle: Fallback: no functions, want 1 or more")
	}
	for i, fn := range fns {
		if fn == nil {
			panic(fmt.Sprintf("mettle: Fallback: function %d is nil, want a function", i+1))
		}
	}
	fns = append([]func(context.Context) (T, error)(nil), fns...)
	return func(ctx context.Context) (T, error) {
		var zero T
		var failed []error
		linkCtx := ctx
		for i, fn := range fns {
			if i > 0 && ctx.Err() != nil {
				break
			}
			v, err := fn(linkCtx)
			skipped := errors.Is(err, errSkipped)
			if len(failed) > 0 && !skipped && c.Observer != nil {
				c.Observer(ctx, Event{
					Kind: FellBack, Policy: "fallback", Name: c.Name, Err: failed[len(failed)-1], Attempt: i + 1, Of: len(fns),
				})
			}
			if err == nil {
				return v, nil
			}
			if !skipped {
				failed = append(failed, err)
				linkCtx = context.WithValue(ctx, lastErrorKey{}, err)
			}
		}
		if len(failed) == 0 {
			return zero, errSkipped // a chain within a chain, none of whose links is for the error that led to it
		}
		return zero, chained(failed)
	}
}

// When returns a link of a Fallback that is used only if match holds for the error of the last link that was used. Otherwise
// the chain goes on to the next one. As a first link it has no error to match and says so, unless its chain is itself a later
// link of another, whose error it then matches. When panics if match or fn is nil.
func When[T any](match func(error) bool, fn func(context.Context) (T, error)) func(context.Context) (T, error) {
	if match == nil || fn == nil {
		panic("mettle: When: match or fn is nil, want a function")
	}
	return func(ctx context.Context) (T, error) {
		var zero T
		last, ok := ctx.Value(lastErrorKey{}).(error)
		if !ok {
			return zero, errors.New("mettle: When has no error to match: it is not a later link of a Fallback")
		}
		if !match(last) {
			return zero, errSkipped
		}
		return fn(ctx)
	}
}

// lastErrorKey is where a Fallback tells a link made by When which error led to it.
type lastErrorKey struct{}

// errSkipped is a rejection, so that policies around a link made by When neither retry nor count it.
var errSkipped = Reject("fallback", "", errors.New("the link is not for this error"), nil)

// chainError is the error of a Fallback of which more than one link failed.
type chainError struct{ links []error }

// chained returns the error of a chain whose links failed with errs. One error stays as it is.
func chained(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	ran := false
	for _, err := range errs {
		ran = ran || !errors.Is(err, ErrRejected)
	}
	if ran {
		for i, err := range errs {
			errs[i] = mark.Ran(err)
		}
	}
	return &chainError{errs}
}

func (e *chainError) Error() string {
	var b strings.Builder
	b.WriteString("mettle: all fallbacks failed")
	for i, err := range e.links {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; then ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

func (e *chainError) Unwrap() []error { return e.links }
