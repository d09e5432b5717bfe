package group_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/group"
)

// leaf is a failure with a number, unique in its tree. Its kind is the number modulo 4.
type leaf struct{ n int }

func (l *leaf) Error() string { return fmt.Sprint("leaf ", l.n) }

// tree is an error made of random scopes, and the model of it: its leaves in order, each with what wraps it.
type tree struct {
	r      *rand.Rand
	leaves []*leaf
}

func (tr *tree) leaf() *leaf {
	l := &leaf{len(tr.leaves)}
	tr.leaves = append(tr.leaves, l)
	return l
}

// grow returns a failure: a leaf or the error of a scope, wrapped or not.
func (tr *tree) grow(depth int) error {
	var err error
	if depth == 0 || tr.r.IntN(3) == 0 {
		err = tr.leaf()
	} else {
		err = tr.scope(depth - 1)
	}
	for range tr.r.IntN(3) {
		switch tr.r.IntN(3) {
		case 0:
			err = fmt.Errorf("wrapped: %w", err)
		case 1:
			err = &stage{fmt.Sprint(tr.r.IntN(100)), err}
		}
	}
	return err
}

// scope returns the error of a Map in which at least one item fails or, with the context's end, is never started.
func (tr *tree) scope(depth int) *group.Error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	n := 1 + tr.r.IntN(5)
	failing, ending := tr.r.IntN(n), -1
	if tr.r.IntN(3) == 0 {
		ending = tr.r.IntN(n + 1)
	}
	cfg := group.Config{Limit: 1, MaxFailures: tr.r.IntN(5) - 1}
	started := 0
	_, err := group.Map(ctx, upTo(n+1), cfg, func(_ context.Context, i int) (int, error) {
		started++
		switch {
		case i == ending:
			cancel(tr.leaf())
			return 0, nil
		case i == failing, i < n && tr.r.IntN(2) == 0:
			return 0, tr.grow(depth)
		}
		return 0, nil
	})
	return err.(*group.Error)
}

// A walk lists all that errors.Is would see in err, leaves with the items and stages around them, and adds up the account of
// all scopes.
type walk struct {
	leaves  []string
	account [3]int
}

func (w *walk) into(err error, path string) {
	if l, ok := err.(*leaf); ok {
		w.leaves = append(w.leaves, fmt.Sprint(path, l.n))
		return
	}
	switch x := err.(type) {
	case *group.Error:
		w.account[0] += x.Succeeded
		w.account[1] += x.Canceled
		w.account[2] += x.NotStarted
	case *group.ItemError:
		path += fmt.Sprintf("item %d/", x.Index)
	case *stage:
		path += "stage " + x.name + "/"
	case interface{ As(any) bool }:
		if s := new(stage); x.As(&s) {
			path += "stage " + s.name + "/"
		}
	}
	switch x := err.(type) {
	case interface{ Unwrap() error }:
		w.into(x.Unwrap(), path)
	case interface{ Unwrap() []error }:
		for _, err := range x.Unwrap() {
			w.into(err, path)
		}
	}
}

func walked(err error) walk {
	var w walk
	if err != nil {
		w.into(err, "")
	}
	return w
}

func number(path string) (n int) {
	_, _ = fmt.Sscan(path[strings.LastIndex(path, "/")+1:], &n)
	return n
}

type splitter func(e *group.Error, match func(error) bool) (matched, rest *group.Error)

// checkSplit checks a split of e, whose leaves are all, by the set of kinds.
func checkSplit(split splitter, e *group.Error, all []*leaf, kinds int) error {
	of := func(n int) bool { return kinds>>(n%4)&1 == 1 }
	before, text := walked(e), fmt.Sprintf("%+v", e)
	asked := make([]int, len(all))
	matched, rest := split(e, func(err error) bool {
		w := walked(err)
		if len(w.leaves) != 1 {
			return true // asked about a whole scope, which the count below tells
		}
		n := number(w.leaves[0])
		asked[n]++
		for _, l := range all {
			if errors.Is(err, l) != (l.n == n) {
				asked[n] = -1 << 20 // it leaks a sibling
			}
		}
		return of(n)
	})
	in, out := walked(matched.Err()), walked(rest.Err())
	wantIn := slices.DeleteFunc(slices.Clone(before.leaves), func(path string) bool { return !of(number(path)) })
	wantOut := slices.DeleteFunc(slices.Clone(before.leaves), func(path string) bool { return of(number(path)) })
	switch {
	case !slices.Equal(in.leaves, wantIn):
		return fmt.Errorf("matched %q, want %q", in.leaves, wantIn)
	case !slices.Equal(out.leaves, wantOut):
		return fmt.Errorf("rest %q, want %q", out.leaves, wantOut)
	case (matched == nil) != (len(wantIn) == 0) || (rest == nil) != (len(wantOut) == 0):
		return fmt.Errorf("a part that holds nothing is not nil: %v, %v", matched, rest)
	case slices.ContainsFunc(asked, func(n int) bool { return n != 1 }):
		return fmt.Errorf("match asked %v times of each leaf, want once, and with no other", asked)
	case walked(e).account != before.account || fmt.Sprintf("%+v", e) != text:
		return fmt.Errorf("the error has changed: %+v\nwas %s", e, text)
	}
	for i := range before.account {
		if in.account[i]+out.account[i] != before.account[i] {
			return fmt.Errorf("account %v and %v, want %v in all", in.account, out.account, before.account)
		}
	}
	for _, l := range all {
		if errors.Is(matched.Err(), l) != of(l.n) || errors.Is(rest.Err(), l) == of(l.n) {
			return fmt.Errorf("errors.Is finds leaf %d in the wrong part", l.n)
		}
	}
	return checkItems(e, matched, rest)
}

// checkItems checks what the parts say of each item of e.
func checkItems(e, matched, rest *group.Error) error {
	for i := range e.Succeeded + e.Failed + e.Canceled + e.NotStarted {
		whole, in, out := e.Item(i), matched.Item(i), rest.Item(i)
		switch {
		case matched == nil || rest == nil:
			if in != whole && out != whole {
				return fmt.Errorf("item %d: %v and %v, want %v", i, in, out, whole)
			}
		case whole == nil || whole == group.ErrNotStarted:
			if in != nil || out != whole {
				return fmt.Errorf("item %d: %v and %v, want it in the rest: %v", i, in, out, whole)
			}
		case len(walked(in).leaves)+len(walked(out).leaves) != len(walked(whole).leaves):
			return fmt.Errorf("item %d: %v and %v, want %v between them", i, in, out, whole)
		}
	}
	return nil
}

func randomTree(seed uint64) (*group.Error, []*leaf, *rand.Rand) {
	for {
		tr := &tree{r: rand.New(rand.NewPCG(seed, 2))}
		e := tr.scope(3)
		// What was canceled before anything failed took a leaf for nothing if all else had ended.
		if got := walked(e).leaves; len(got) == len(tr.leaves) {
			return e, tr.leaves, tr.r
		}
		seed += 1 << 32
	}
}

func TestSplitFollowsTheModel(t *testing.T) {
	for seed := range uint64(1500) {
		e, leaves, r := randomTree(seed)
		kinds := r.IntN(16)
		if err := checkSplit((*group.Error).Split, e, leaves, kinds); err != nil {
			t.Fatalf("seed %d, kinds %04b: %v\nin %+v", seed, kinds, err, e)
		}
	}
}

// Each planted bug must fail the check that Split passes.
func TestSplitModelFindsBugs(t *testing.T) {
	type part = group.Error
	for name, split := range map[string]splitter{
		"takes a scope as one": func(e *part, match func(error) bool) (*part, *part) {
			return e.Split(func(err error) bool { match(err); return match(e) })
		},
		"loses a failure": func(e *part, match func(error) bool) (*part, *part) {
			in, out := e.Split(match)
			if in != nil && len(in.Failures) > 1 {
				less := *in
				less.Failures = less.Failures[1:]
				in = &less
			}
			return in, out
		},
		"doubles one": func(e *part, match func(error) bool) (*part, *part) {
			in, out := e.Split(match)
			if in != nil && out != nil && len(in.Failures) > 0 {
				more := *out
				more.Failures = append(slices.Clone(more.Failures), in.Failures[0])
				out = &more
			}
			return in, out
		},
		"loses the account": func(e *part, match func(error) bool) (*part, *part) {
			in, out := e.Split(match)
			if in != nil && out != nil {
				less := *out
				less.NotStarted = 0
				out = &less
			}
			return in, out
		},
		"swaps the parts": func(e *part, match func(error) bool) (*part, *part) {
			in, out := e.Split(match)
			return out, in
		},
		"asks twice": func(e *part, match func(error) bool) (*part, *part) {
			return e.Split(func(err error) bool { match(err); return match(err) })
		},
		"is not nil-safe": func(e *part, match func(error) bool) (*part, *part) {
			in, out := e.Split(match)
			if in == nil {
				in = new(part)
			}
			return in, out
		},
	} {
		found := false
		for seed := range uint64(300) {
			e, leaves, r := randomTree(seed)
			if checkSplit(split, e, leaves, r.IntN(16)) != nil {
				found = true
				break
			}
		}
		if !found {
			t.Errorf("a Split that %s passes", name)
		}
	}
}

// Each leaf goes to the first handler of its kind, and what is left, or comes back, is the result.
func TestHandleFollowsTheModel(t *testing.T) {
	for seed := range uint64(1500) {
		e, leaves, r := randomTree(seed)
		taken := make(map[int]bool)
		var handlers []group.Handler
		var want, got [][]int
		var left []int
		for range r.IntN(4) {
			kinds, answer := r.IntN(16), r.IntN(3)
			of := func(n int) bool { return kinds>>(n%4)&1 == 1 }
			var mine []int
			for _, l := range leaves {
				if of(l.n) && !taken[l.n] {
					taken[l.n] = true
					mine = append(mine, l.n)
				}
			}
			if mine != nil {
				want = append(want, mine)
				if answer > 0 {
					left = append(left, mine...)
				}
			}
			match := func(err error) bool {
				l, ok := errors.AsType[*leaf](err)
				return ok && of(l.n)
			}
			handlers = append(handlers, group.If(match, func(part *group.Error) error {
				got = append(got, numbers(part))
				return []error{nil, part, fmt.Errorf("again: %w", part)}[answer]
			}))
		}
		for _, l := range leaves {
			if !taken[l.n] {
				left = append(left, l.n)
			}
		}
		slices.Sort(left)
		err := e.Handle(handlers...)
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("seed %d: handlers got %v, want %v\nof %+v", seed, got, want, e)
		}
		if l := numbers(err); !slices.Equal(l, left) || (err == nil) != (len(left) == 0) {
			t.Fatalf("seed %d: left with %v, want %v\nof %+v", seed, l, left, e)
		}
	}
}

// numbers returns those of the leaves in err, sorted.
func numbers(err error) []int {
	var all []int
	for _, path := range walked(err).leaves {
		all = append(all, number(path))
	}
	slices.Sort(all)
	return all
}
