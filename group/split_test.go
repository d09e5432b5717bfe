package group_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
)

var (
	errMissing = errors.New("missing")
	errBroken  = errors.New("broken")
)

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// errorOf returns the *group.Error of a Map whose items end with these errors, all of them tried.
func errorOf(t *testing.T, errs ...error) *group.Error {
	t.Helper()
	_, err := group.Map(t.Context(), errs, group.Config{Limit: 1, MaxFailures: -1}, func(_ context.Context, err error) (int, error) {
		return 0, err
	})
	e, ok := errors.AsType[*group.Error](err)
	if !ok {
		t.Fatalf("%v, want a *group.Error", err)
	}
	return e
}

func TestSplit(t *testing.T) {
	e := errorOf(t, errMissing, nil, errBroken, fmt.Errorf("deep: %w", errMissing), nil)
	matched, rest := e.Split(is(errMissing))
	if want := "group: 2 of 5 items failed: item 0: missing; item 3: deep: missing"; matched.Error() != want {
		t.Errorf("%v\nwant %s", matched, want)
	}
	if want := "group: 1 of 5 items failed: item 2: broken"; rest.Error() != want {
		t.Errorf("%v\nwant %s", rest, want)
	}
	if errors.Is(matched, errBroken) || !errors.Is(matched, errMissing) || errors.Is(rest, errMissing) || !errors.Is(rest, errBroken) {
		t.Error("a part unwraps to a failure of the other")
	}
	wantCounts(t, matched, 0, 2, 0, 0)
	wantCounts(t, rest, 2, 1, 0, 0)
	if matched.Failures[0] != e.Failures[0] {
		t.Error("a failure of the scope itself comes as another value")
	}
	wantCounts(t, e, 2, 3, 0, 0) // as it was
	if e.Failures[1] != rest.Failures[0] {
		t.Error("Split changed the failures of what it splits")
	}
}

func TestSplitAllOrNothing(t *testing.T) {
	for _, e := range []*group.Error{errorOf(t, errMissing, nil), errorOf(t, errorOf(t, errMissing, errMissing), nil)} {
		if matched, rest := e.Split(is(errMissing)); matched != e || rest != nil {
			t.Errorf("%v and %v, want all matched", matched, rest)
		}
		if matched, rest := e.Split(is(errBroken)); matched != nil || rest != e {
			t.Errorf("%v and %v, want none matched", matched, rest)
		}
	}
}

func TestSplitNothing(t *testing.T) {
	var none *group.Error
	matched, rest := none.Split(func(error) bool { t.Error("match of nothing"); return true })
	if matched != nil || rest != nil {
		t.Errorf("%v and %v, want nil", matched, rest)
	}
	if err := none.Err(); err != nil {
		t.Errorf("Err of a nil *Error is %v", err)
	}
	if none.Unwrap() != nil || errors.Is(none, errBoom) || none.Error() != "group: no failure" {
		t.Errorf("a nil *Error is no failure, but %v", none)
	}
	if e := errorOf(t, errBoom); e.Err() != error(e) {
		t.Error("Err is another error")
	}
	wantPanic(t, "group: Split: match is nil, want a function", func() { none.Split(nil) })
}

// stage is a caller's own type of error around that of a scope.
type stage struct {
	name string
	err  error
}

func (s *stage) Error() string { return s.name + " stage: " + s.err.Error() }
func (s *stage) Unwrap() error { return s.err }

// quiet wraps as stage does and does not tell what.
type quiet struct{ stage }

func (*quiet) Error() string        { return "cannot load" }
func (*quiet) Is(target error) bool { return target == io.ErrNoProgress }
func (*quiet) Hint() string         { return "soon" }

func (*quiet) As(target any) bool {
	s, ok := target.(*silence)
	if ok {
		*s = "hush"
	}
	return ok
}

// silence is an error that quiet says it is.
type silence string

func (s silence) Error() string { return string(s) }

type hinting interface {
	error
	Hint() string
}

func TestSplitLooksIntoInnerScopes(t *testing.T) {
	inner := func() error { return errorOf(t, errMissing, errBroken, nil) }
	for _, tt := range []struct {
		name             string
		err              error
		wantIn, wantRest string
	}{
		{"as it is", inner(),
			"group: 1 of 2 items failed: item 0: 1 of 3 items failed: item 0: missing",
			"group: 2 of 2 items failed: item 0: 1 of 3 items failed: item 1: broken; item 1: EOF"},
		{"wrapped", fmt.Errorf("load: %w (sorry)", inner()),
			"group: 1 of 2 items failed: item 0: load: group: 1 of 3 items failed: item 0: missing (sorry)",
			"group: 2 of 2 items failed: item 0: load: group: 1 of 3 items failed: item 1: broken (sorry); item 1: EOF"},
		{"wrapped twice", &stage{"second", mettle.Permanent(inner())},
			"group: 1 of 2 items failed: item 0: second stage: group: 1 of 3 items failed: item 0: missing",
			"group: 2 of 2 items failed: item 0: second stage: group: 1 of 3 items failed: item 1: broken; item 1: EOF"},
		{"within two", errorOf(t, nil, inner()),
			"group: 1 of 2 items failed: item 0: 1 of 2 items failed: item 1: 1 of 3 items failed: item 0: missing",
			"group: 2 of 2 items failed: item 0: 1 of 2 items failed: item 1: 1 of 3 items failed: item 1: broken; item 1: EOF"},
		{"wrapped in silence", &quiet{stage{"", inner()}},
			"group: 1 of 2 items failed: item 0: cannot load",
			"group: 2 of 2 items failed: item 0: cannot load; item 1: EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			matched, rest := errorOf(t, tt.err, io.EOF).Split(is(errMissing))
			if matched.Error() != tt.wantIn || rest.Error() != tt.wantRest {
				t.Errorf("%v\nwant %s\nand %v\nwant %s", matched, tt.wantIn, rest, tt.wantRest)
			}
			if errors.Is(matched, errBroken) || !errors.Is(matched, errMissing) || errors.Is(rest, errMissing) || !errors.Is(rest, errBroken) {
				t.Error("a part unwraps to a failure of the other")
			}
		})
	}
}

// Whoever looks for what wraps a scope's error finds it around each part.
func TestSplitKeepsWhatWraps(t *testing.T) {
	wrap := &quiet{stage{"x", fmt.Errorf("y: %w", errorOf(t, errMissing, errBroken))}}
	matched, rest := errorOf(t, wrap).Split(is(errMissing))
	for _, part := range []*group.Error{matched, rest} {
		if got, ok := errors.AsType[*quiet](part); !ok || got != wrap {
			t.Errorf("%v: the wrapper is %v, %v", part, got, ok)
		}
		if _, ok := errors.AsType[hinting](part); !ok {
			t.Errorf("%v: the wrapper's method is not found", part)
		}
		if s, ok := errors.AsType[silence](part); !ok || s != "hush" {
			t.Errorf("%v: the wrapper's As is not asked", part)
		}
		if !errors.Is(part, wrap) || !errors.Is(part, io.ErrNoProgress) || errors.Is(part, io.EOF) {
			t.Errorf("%v is not what its wrapper is", part)
		}
		if _, ok := errors.AsType[*stage](part); ok {
			t.Errorf("%v: found a type that is not there", part)
		}
	}
}

func TestSplitMatchesAFailureWithWhatWrapsIt(t *testing.T) {
	e := errorOf(t, &stage{"first", errorOf(t, errMissing, errBroken)}, &stage{"second", errMissing}, errMissing)
	var texts []string
	matched, rest := e.Split(func(err error) bool {
		texts = append(texts, err.Error())
		s, ok := errors.AsType[*stage](err)
		return ok && s.name == "first"
	})
	want := []string{
		"group: item 0: first stage: group: item 0: missing",
		"group: item 0: first stage: group: item 1: broken",
		"group: item 1: second stage: missing",
		"group: item 2: missing",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("matched %q\nwant    %q", texts, want)
	}
	if matched.Failed != 1 || matched.Failures[0] != e.Failures[0] || rest.Failed != 2 {
		t.Errorf("%v and %v, want the first stage as it was and the others", matched, rest)
	}
}

// A panic that carries the error of a scope, errors joined, and an *Error without failures are one failure each.
func TestSplitTakesOneFailureAsOne(t *testing.T) {
	carried := errorOf(t, errMissing, errBroken)
	for _, err := range []error{
		errors.Join(errMissing, errBroken),
		errors.Join(carried, errBroken),
		&group.PanicError{Value: carried},
		fmt.Errorf("x: %w", &group.PanicError{Value: carried}),
		fmt.Errorf("%w: %w", carried, errMissing),
	} {
		e := errorOf(t, err, errBoom)
		matched, rest := e.Split(is(errMissing))
		if matched == nil || matched.Failures[0] != e.Failures[0] || matched.Failed != 1 || rest.Failed != 1 {
			t.Errorf("%v and %v, want the first item matched as a whole", matched, rest)
		}
	}
}

func TestSplitOfACancellationWithoutFailures(t *testing.T) {
	gone, cancel := context.WithCancelCause(t.Context())
	cancel(errMissing)
	_, err := group.Map(gone, upTo(3), group.Config{}, double)
	e := wantCounts(t, err, 0, 0, 0, 3)
	if matched, rest := e.Split(is(errMissing)); matched != e || rest != nil {
		t.Errorf("%v and %v, want the cause matched", matched, rest)
	}
	if matched, rest := e.Split(is(errBroken)); matched != nil || rest != e {
		t.Errorf("%v and %v, want none matched", matched, rest)
	}
	outer := errorOf(t, e, errBroken)
	matched, rest := outer.Split(is(context.Canceled))
	if matched.Failures[0] != outer.Failures[0] || rest.Failures[0] != outer.Failures[1] {
		t.Errorf("%v and %v, want the inner cancellation matched", matched, rest)
	}
}

// ended returns the error of a Map of five items, with the context canceled because of errMissing: the second failed before,
// the third was canceled, the others were never started.
func ended(t *testing.T) *group.Error {
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := group.Map(ctx, upTo(5), group.Config{Limit: 1, MaxFailures: -1}, func(ctx context.Context, n int) (int, error) {
		switch n {
		case 1:
			return 0, errBroken
		case 2:
			cancel(errMissing)
			return 0, ctx.Err()
		}
		return n, nil
	})
	return wantCounts(t, err, 1, 1, 1, 2)
}

func TestSplitKeepsTheAccountWithTheRest(t *testing.T) {
	e := ended(t)
	matched, rest := e.Split(is(errBroken))
	wantCounts(t, matched, 0, 1, 0, 0)
	wantCounts(t, rest, 1, 0, 1, 2)
	if errors.Is(matched, context.Canceled) || errors.Is(matched, errMissing) || !errors.Is(rest, context.Canceled) || !errors.Is(rest, errMissing) {
		t.Error("how the context ended is not in the rest")
	}
	if want := "group: 1 of 5 items failed: item 1: broken"; matched.Error() != want {
		t.Errorf("%v\nwant %s", matched, want)
	}
	if want := "group: 1 of 5 items canceled, 2 never started: context canceled: missing"; rest.Error() != want {
		t.Errorf("%v\nwant %s", rest, want)
	}
	for i := range 5 {
		in, out := matched.Item(i), rest.Item(i)
		if i == 1 {
			in, out = out, in
		}
		if in != nil || out != e.Item(i) {
			t.Errorf("item %d: %v and %v, want %v in one part", i, matched.Item(i), rest.Item(i), e.Item(i))
		}
	}
	if matched.Cause != errMissing || rest.Cause != errMissing {
		t.Error("the cause is lost")
	}
	if matched, none := matched.Split(is(errBroken)); none != nil || matched.Error() != "group: 1 of 5 items failed: item 1: broken" {
		t.Errorf("%v and %v of a part", matched, none)
	}

	matched, rest = e.Split(is(errMissing)) // the other way round
	wantCounts(t, matched, 0, 0, 0, 0)
	wantCounts(t, rest, 1, 1, 1, 2)
	if errors.Is(rest, context.Canceled) || !errors.Is(matched, context.Canceled) {
		t.Error("how the context ended is not matched")
	}
	if want := "group: context canceled: missing"; matched.Error() != want {
		t.Errorf("%v\nwant %s", matched, want)
	}
}

// A Stream counts more failures than it keeps. Which they were is not known, so they stay with the rest.
func TestSplitOfAStreamLosesNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all *group.Error
	for _, err := range group.Stream(ctx, slices.Values(make([]int, 300)), group.Config{MaxFailures: -1, Limit: 1}, func(context.Context, int) (int, error) {
		return 0, errBoom
	}) {
		if item, ok := err.(*group.ItemError); ok && item.Index == 299 {
			cancel()
		}
		all, _ = err.(*group.Error)
	}
	if len(all.Failures) != 100 || all.Failed != 300 {
		t.Fatalf("%v keeps %d failures", all, len(all.Failures))
	}
	if want := "group: 300 of 300 items failed: item 0: boom; item 1: boom; item 2: boom; and 297 more; context canceled"; all.Error() != want {
		t.Errorf("got  %q\nwant %q", all, want)
	}
	even := func(err error) bool {
		item, ok := err.(*group.ItemError)
		return ok && item.Index%2 == 0
	}
	matched, rest := all.Split(even)
	if matched.Failed != 50 || rest.Failed != 250 || len(rest.Failures) != 50 {
		t.Errorf("%d of them failed and %d of the rest, want 50 and 250", matched.Failed, rest.Failed)
	}
	matched, rest = rest.Split(even)
	if matched != nil || rest.Failed != 250 {
		t.Errorf("then %v, and %d of the rest failed, want nothing and 250", matched, rest.Failed)
	}
}

func TestSplitItemOfAnInnerScope(t *testing.T) {
	e := errorOf(t, errBoom, nil, errorOf(t, errMissing, errBroken))
	matched, rest := e.Split(is(errMissing))
	for i, want := range [][2]string{
		{"<nil>", "group: item 0: boom"},
		{"<nil>", "<nil>"},
		{"group: item 2: 1 of 2 items failed: item 0: missing", "group: item 2: 1 of 2 items failed: item 1: broken"},
	} {
		if got := [2]string{fmt.Sprint(matched.Item(i)), fmt.Sprint(rest.Item(i))}; got != want {
			t.Errorf("item %d: %q, want %q", i, got, want)
		}
	}
}

// If some functions ran, no part of the error says that none did.
func TestSplitOfRejections(t *testing.T) {
	rejected := mettle.Reject("gate", "", errMissing, nil)
	matched, rest := errorOf(t, rejected, errBroken).Split(is(mettle.ErrRejected))
	if matched == nil || rest == nil || errors.Is(matched, mettle.ErrRejected) || !errors.Is(matched, errMissing) {
		t.Errorf("%v and %v, want a part that is not a rejection as a whole", matched, rest)
	}
	// The same of what Handle puts together, and of an error that is no scope's, where nothing may have run.
	pass := group.If(is(errMissing), func(part *group.Error) error { return part.Failures[0] })
	if err := errorOf(t, rejected, errBroken).Handle(pass); errors.Is(err, mettle.ErrRejected) || !errors.Is(err, errMissing) {
		t.Errorf("%v, want no rejection", err)
	}
	wrapped := fmt.Errorf("load: %w", errorOf(t, errMissing, errBroken))
	if err := group.Handle(wrapped, group.If(is(errMissing), func(*group.Error) error { return rejected })); errors.Is(err, mettle.ErrRejected) {
		t.Errorf("%v, want no rejection", err)
	}
	for err, want := range map[error]bool{rejected: true, errors.Join(errMissing, errBroken): false} {
		_ = group.Handle(err, group.On[error](func(part *group.Error) error {
			if errors.Is(part, mettle.ErrRejected) != want {
				t.Errorf("%v: rejected is %v, want %v", part, !want, want)
			}
			return nil
		}))
	}
}
