package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/retry"
)

var (
	errA = errors.New("a")
	errB = errors.New("b")
)

// link returns a function that notes its name and then returns err, or its name.
func link(used *[]string, name string, err error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { *used = append(*used, name); return name, err }
}

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

func TestFallback(t *testing.T) {
	var used []string
	ok := func(name string) func(context.Context) (string, error) { return link(&used, name, nil) }
	bad := func(name string, err error) func(context.Context) (string, error) { return link(&used, name, err) }
	when := mettle.When[string]
	chain := mettle.Fallback[string]
	for _, c := range []struct {
		name  string
		fn    func(context.Context) (string, error)
		want  string
		err   string
		used  []string
		wraps []error
	}{
		{"first works", chain(ok("1"), ok("2")), "1", "", []string{"1"}, nil},
		{"second works", chain(bad("1", errA), ok("2"), ok("3")), "2", "", []string{"1", "2"}, nil},
		{"one that fails", chain(bad("1", errA)), "", "a", []string{"1"}, []error{errA}},
		{"all fail", chain(bad("1", errA), bad("2", errB)), "", "mettle: all fallbacks failed: a; then b", []string{"1", "2"}, []error{errA, errB}},
		{"a link for the error", chain(bad("1", errA), when(is(errB), ok("2")), when(is(errA), ok("3"))), "3", "", []string{"1", "3"}, nil},
		{"no link for the error", chain(bad("1", errA), when(is(errB), ok("2"))), "", "a", []string{"1"}, []error{errA}},
		{"the last error counts", chain(bad("1", errA), bad("2", errB), when(is(errA), ok("3")), when(is(errB), ok("4"))), "4", "", []string{"1", "2", "4"}, nil},
		{"a link with a policy", chain(bad("1", errA), mettle.Bind(again(), when(is(errA), ok("2")))), "2", "", []string{"1", "2"}, nil},
		{"a skipped link with a policy", chain(bad("1", errA), mettle.Bind(again(), when(is(errB), ok("2"))), ok("3")), "3", "", []string{"1", "3"}, nil},
		{"a chain in a chain, skipped", chain(bad("1", errA), chain(when(is(errB), ok("2")), when(is(errB), ok("3")))), "", "a", []string{"1"}, []error{errA}},
		{"a chain in a chain, its second link", chain(bad("1", errA), chain(when(is(errB), ok("2")), when(is(errA), ok("3")))), "3", "", []string{"1", "3"}, nil},
		{"a chain in a chain, failing", chain(bad("1", errA), chain(when(is(errB), ok("2")), bad("3", errB))), "", "mettle: all fallbacks failed: a; then b", []string{"1", "3"}, []error{errA, errB}},
		{"When first", chain(when(is(errA), ok("1")), ok("2")), "2", "", []string{"2"}, nil},
	} {
		used = nil
		got, err := c.fn(t.Context())
		if got != c.want || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %q, %v, want %q, %s", c.name, got, err, c.want, c.err)
		}
		if !slices.Equal(used, c.used) {
			t.Errorf("%s: used %v, want %v", c.name, used, c.used)
		}
		for _, e := range c.wraps {
			if !errors.Is(err, e) {
				t.Errorf("%s: %v is not %v", c.name, err, e)
			}
		}
	}
}

func again() mettle.Policy { return retry.New(retry.Config{Backoff: retry.Constant(0)}) }

func TestWhenAloneSaysSo(t *testing.T) {
	var used []string
	v, err := mettle.When(is(errA), link(&used, "1", nil))(t.Context())
	if v != "" || err == nil || errors.Is(err, mettle.ErrRejected) || len(used) > 0 {
		t.Errorf("%q, %v, used %v", v, err, used)
	}
}

// A skipped link is no failure: not of the breaker around it either.
func TestSkippedLinkCountsForNobody(t *testing.T) {
	br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1)})
	var used []string
	load := mettle.Fallback(link(&used, "1", errA), mettle.Bind(br, mettle.When(is(errB), link(&used, "2", nil))))
	for range 10 {
		load(t.Context())
	}
	if br.State() != breaker.Closed {
		t.Errorf("%v", br.State())
	}
}

func TestFallbackStopsWhenTheCallerLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var used []string
	load := mettle.Fallback(
		func(context.Context) (string, error) { cancel(); return "", errA },
		link(&used, "2", nil),
	)
	if v, err := load(ctx); v != "" || err != errA || len(used) > 0 {
		t.Errorf("%q, %v, used %v", v, err, used)
	}

	// The first link is tried in any case: it sees the context itself.
	if v, err := mettle.Fallback(link(&used, "1", nil))(ctx); v != "1" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// What the caller does to his slice afterwards is his own affair.
func TestFallbackCopiesItsLinks(t *testing.T) {
	var used []string
	fns := []func(context.Context) (string, error){link(&used, "1", errA), link(&used, "2", nil)}
	load := mettle.Fallback(fns...)
	fns[1] = nil
	if v, err := load(t.Context()); v != "2" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
}

// An error of a link that has a hint is heeded through a chain whose other link was turned away without one.
func TestHintReachesTheRetryThroughAChain(t *testing.T) {
	halfOpen := mettle.Bind(&gate{full: true}, func(context.Context) (int, error) { return 0, nil })
	busy := func(context.Context) (int, error) { return 0, fmt.Errorf("replica: %w", hinted(1<<62)) }
	_, err := mettle.Call(t.Context(), again(), mettle.Fallback(halfOpen, busy))
	if !errors.Is(err, retry.ErrHint) {
		t.Errorf("%v, want ErrHint: the replica asked for more than 5 minutes", err)
	}
}
