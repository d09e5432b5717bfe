package mettle_test

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"github.com/mettle-go/mettle"
)

type file struct{ closed int }

func (f *file) Close() error { f.closed++; return errDown }

type conn struct{ closed *int }

func (c conn) Close() { *c.closed++ }

// both is a policy that runs fn in two branches, keeps the second and drops the first.
var both = mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
	first, a := mettle.Fork(ctx)
	second, b := mettle.Fork(ctx)
	fn(first)
	err := fn(second)
	a.Drop()
	b.Keep()
	return err
})

func TestDropClosesResultsOfLosers(t *testing.T) {
	var files []*file
	open := func(context.Context) (*file, error) {
		files = append(files, new(file))
		return files[len(files)-1], nil
	}
	for name, p := range map[string]mettle.Policy{
		"alone":       both,
		"nested":      mettle.Compose(both, both),
		"within pass": mettle.Compose(pass, both, pass, both, pass),
	} {
		files = nil
		f, err := mettle.Call(t.Context(), p, open)
		if err != nil || f != files[len(files)-1] {
			t.Errorf("%s: %v, %v, want the last file", name, f, err)
		}
		for i, f := range files {
			want := 1
			if i == len(files)-1 {
				want = 0
			}
			if f.closed != want {
				t.Errorf("%s: file %d of %d was closed %d times, want %d", name, i+1, len(files), f.closed, want)
			}
		}
	}
}

func TestDropKnowsWhatToClose(t *testing.T) {
	var closed int
	c, err := mettle.Call(t.Context(), both, func(context.Context) (conn, error) { return conn{&closed}, nil })
	if err != nil || c.closed != &closed || closed != 1 {
		t.Errorf("a value with Close() was closed %d times, want once", closed)
	}
	closed = 0
	if _, err := mettle.Call(t.Context(), both, func(context.Context) (any, error) { return conn{&closed}, nil }); err != nil || closed != 1 {
		t.Errorf("a value in an interface was closed %d times, want once", closed)
	}
	if f, err := mettle.Call(t.Context(), both, func(context.Context) (*file, error) { return nil, nil }); f != nil || err != nil {
		t.Errorf("a nil pointer: %v, %v", f, err) // a Close on it would have panicked
	}
	if f, err := mettle.Call(t.Context(), both, func(context.Context) (interface{ Close() }, error) { return nil, nil }); f != nil || err != nil {
		t.Errorf("a nil interface: %v, %v", f, err)
	}
	if n, err := mettle.Call(t.Context(), both, func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Errorf("a number: %d, %v", n, err)
	}
}

// What a failed run returned beside its error is its own affair.
func TestDropLeavesResultsOfFailedRuns(t *testing.T) {
	var f file
	if _, err := mettle.Call(t.Context(), both, func(context.Context) (*file, error) { return &f, errDown }); err != errDown || f.closed != 0 {
		t.Errorf("%v, closed %d times", err, f.closed)
	}
}

// Three Calls leave their results on one branch; each is one of its own.
func TestBranchHoldsTheResultsOfSeveralCalls(t *testing.T) {
	branched, b := mettle.Fork(t.Context())
	into := mettle.PolicyFunc(func(_ context.Context, fn func(context.Context) error) error { return fn(branched) })
	var files [3]file
	for i := range files {
		mettle.Call(t.Context(), into, func(context.Context) (*file, error) { return &files[i], nil })
	}
	b.Drop()
	b.Drop() // has nothing left
	for i := range files {
		if files[i].closed != 1 {
			t.Errorf("file %d was closed %d times, want once", i+1, files[i].closed)
		}
	}
}

// The context of a branch may be kept for long, as by the body of a response. The result may not stay with it.
func TestSettledBranchLetsGoOfItsResult(t *testing.T) {
	for name, settle := range map[string]func(*mettle.Branch){"Keep": (*mettle.Branch).Keep, "Drop": (*mettle.Branch).Drop} {
		var left context.Context
		var result weak.Pointer[[64]byte]
		func() {
			p := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
				branched, b := mettle.Fork(ctx)
				left = branched
				err := fn(branched)
				settle(b)
				return err
			})
			mettle.Call(t.Context(), p, func(context.Context) (*[64]byte, error) {
				v := new([64]byte)
				result = weak.Make(v)
				return v, nil
			})
		}()
		runtime.GC()
		if result.Value() != nil {
			t.Errorf("%s: the context of the branch still holds the result", name)
		}
		runtime.KeepAlive(left)
	}
}
