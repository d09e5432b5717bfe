package group_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/mettle-go/mettle/group"
)

// hear returns a handler's function that notes what it is given, and returns err.
func hear(heard *[]string, err error) func(*group.Error) error {
	return func(part *group.Error) error {
		*heard = append(*heard, part.Error())
		return err
	}
}

func TestHandle(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "x", Err: errBroken}
	other := errors.New("disk full")
	for _, tt := range []struct {
		name     string
		errs     []error
		handlers func(heard *[]string) []group.Handler
		heard    []string
		want     string
	}{
		{"everything", []error{errMissing, path, nil}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.If(is(errMissing), hear(heard, nil)), group.On[*fs.PathError](hear(heard, nil))}
		}, []string{"group: 1 of 3 items failed: item 0: missing", "group: 1 of 3 items failed: item 1: open x: broken"}, "<nil>"},
		{"each failure once", []error{path, errBroken, errMissing}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.On[*fs.PathError](hear(heard, nil)), group.If(is(errBroken), hear(heard, nil)),
				group.On[*fs.PathError](hear(heard, nil))}
		}, []string{"group: 1 of 3 items failed: item 0: open x: broken", "group: 1 of 3 items failed: item 1: broken"},
			"group: 1 of 3 items failed: item 2: missing"},
		{"what a handler returns", []error{errMissing, errBroken}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.If(is(errMissing), hear(heard, other))}
		}, []string{"group: 1 of 2 items failed: item 0: missing"},
			"group: handled, with 2 left: disk full; 1 of 2 items failed: item 1: broken"},
		{"what a handler returns, alone", []error{errMissing}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.If(is(errMissing), hear(heard, other))}
		}, []string{"group: 1 of 1 item failed: item 0: missing"}, "disk full"},
		{"nobody is interested", []error{errMissing}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.On[*fs.PathError](hear(heard, other))}
		}, nil, "group: 1 of 1 item failed: item 0: missing"},
		{"no handlers", []error{errMissing}, func(*[]string) []group.Handler { return nil }, nil,
			"group: 1 of 1 item failed: item 0: missing"},
		{"a nil part returned", []error{errMissing}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.On[error](func(part *group.Error) error {
				_, rest := part.Split(is(errMissing))
				return rest
			})}
		}, nil, "<nil>"},
		{"inner scopes", []error{errorOf(t, errMissing, errBroken), errBroken}, func(heard *[]string) []group.Handler {
			return []group.Handler{group.If(is(errBroken), hear(heard, nil))}
		}, []string{"group: 2 of 2 items failed: item 0: 1 of 2 items failed: item 1: broken; item 1: broken"},
			"group: 1 of 2 items failed: item 0: 1 of 2 items failed: item 0: missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var heard []string
			err := errorOf(t, tt.errs...).Handle(tt.handlers(&heard)...)
			if fmt.Sprint(err) != tt.want {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
			if !slices.Equal(heard, tt.heard) {
				t.Errorf("handlers got %q\nwant %q", heard, tt.heard)
			}
		})
	}
}

func TestHandleReturnsWhatItWasGiven(t *testing.T) {
	e := errorOf(t, errMissing)
	nothing := group.If(is(errBroken), func(*group.Error) error { t.Error("called for nothing"); return nil })
	all := group.On[error](func(part *group.Error) error { return part })
	wrapped := fmt.Errorf("load: %w", e)
	var none *group.Error
	for _, tt := range []struct{ got, want error }{
		{e.Handle(nothing), e},
		{e.Handle(all), e},
		{none.Handle(nothing, all), nil},
		{group.Handle(nil, nothing, all), nil},
		{group.Handle(e, nothing), e},
		{group.Handle(errMissing, nothing), errMissing},
		{group.Handle(wrapped, nothing), wrapped},
		{group.Handle(errMissing, group.If(is(errMissing), func(*group.Error) error { return nil })), nil},
		{group.Handle(wrapped, group.If(is(errMissing), func(*group.Error) error { return errBoom })), errBoom},
	} {
		if tt.got != tt.want {
			t.Errorf("%v, want %v", tt.got, tt.want)
		}
	}
}

func TestHandleOfAnyError(t *testing.T) {
	var heard []string
	missing := group.If(is(errMissing), hear(&heard, nil))

	err := group.Handle(fmt.Errorf("load: %w", errorOf(t, errMissing, errBroken)), missing)
	if want := "load: group: 1 of 2 items failed: item 1: broken"; err.Error() != want || !errors.Is(err, errBroken) || errors.Is(err, errMissing) {
		t.Errorf("%v\nwant %s", err, want)
	}
	err = group.Handle(errorOf(t, errMissing, errBroken), missing)
	if want := "group: 1 of 2 items failed: item 1: broken"; err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	err = group.Handle(errors.Join(errMissing, errBroken), missing)
	if err != nil {
		t.Errorf("%v left of a joined error, which is one failure", err)
	}
	want := []string{
		"group: 1 of 1 task failed: load: group: 1 of 2 items failed: item 0: missing",
		"group: 1 of 2 items failed: item 0: missing",
		"group: 1 of 1 task failed: missing; broken",
	}
	if !slices.Equal(heard, want) {
		t.Errorf("handlers got %q\nwant %q", heard, want)
	}
}

// A canceled context is nobody's until a handler asks for it.
func TestHandleLeavesTheCancellation(t *testing.T) {
	ok := func(*group.Error) error { return nil }
	broken, canceled := group.If(is(errBroken), ok), group.If(is(context.Canceled), ok)

	err := ended(t).Handle(broken)
	e := wantCounts(t, err, 1, 0, 1, 2)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, errMissing) || e.Item(4) != group.ErrNotStarted {
		t.Errorf("%v, want what is left to be the cancellation", err)
	}
	if err := ended(t).Handle(broken, canceled); err != nil {
		t.Errorf("%v, want nothing left", err)
	}
	if err := ended(t).Handle(canceled, broken); err != nil {
		t.Errorf("%v, want nothing left", err)
	}
	_ = ended(t).Handle(canceled, group.If(is(errBroken), func(last *group.Error) error {
		wantCounts(t, last, 1, 1, 1, 2) // what is handled last brings the account
		return nil
	}))
}

// What a handler made of a part, and the rest, are handled again as one error.
func TestHandleTwice(t *testing.T) {
	e := errorOf(t, errMissing, errBroken, errBoom)
	err := e.Handle(group.If(is(errMissing), func(part *group.Error) error { return fmt.Errorf("critical: %w", part) }))
	if all, ok := errors.AsType[*group.Error](err); !ok || all != err {
		t.Fatalf("the first *Error in %v is %v, which is not all", err, all)
	}
	var heard []string
	err = group.Handle(err, group.If(is(errMissing), hear(&heard, nil)), group.If(is(errBroken), hear(&heard, nil)))
	want := []string{
		"group: handled, with 1 left: critical: group: 1 of 3 items failed: item 0: missing",
		"group: handled, with 1 left: 1 of 3 items failed: item 1: broken",
	}
	if !slices.Equal(heard, want) {
		t.Errorf("handlers got %q\nwant %q", heard, want)
	}
	if !errors.Is(err, errBoom) || errors.Is(err, errMissing) || errors.Is(err, errBroken) {
		t.Errorf("left with %v, want boom", err)
	}
}

func TestHandleMisuse(t *testing.T) {
	ok := func(*group.Error) error { return nil }
	wantPanic(t, "group: On: fn is nil, want a function", func() { group.On[error](nil) })
	wantPanic(t, "group: If: match or fn is nil, want functions", func() { group.If(nil, ok) })
	wantPanic(t, "group: If: match or fn is nil, want functions", func() { group.If(is(errBoom), nil) })
	called := false
	wantPanic(t, "group: Handle: handler 1 is the zero Handler, want one made by On or If", func() {
		_ = errorOf(t, errBoom).Handle(group.On[error](func(*group.Error) error { called = true; return nil }), group.Handler{})
	})
	if called {
		t.Error("a handler was called before the misuse was found")
	}
	wantPanic(t, "mine", func() { _ = errorOf(t, errBoom).Handle(group.On[error](func(*group.Error) error { panic("mine") })) })
}
