package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

var all = regexp.MustCompile("")

// within calls test in a bubble, if the contender allows that.
func within(t *testing.T, c contender, test func(*testing.T)) {
	if c.pools {
		test(t)
		return
	}
	synctest.Test(t, test)
}

func TestContendersDoWhatTheirRowsSay(t *testing.T) {
	for _, r := range rows(all) {
		for _, c := range r.contenders {
			t.Run(r.name+"/"+c.name, func(t *testing.T) {
				within(t, c, func(t *testing.T) {
					if err := c.verify(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

// What is timed runs without an error, more than once, and leaves no goroutine behind.
func TestLoopsRun(t *testing.T) {
	for _, r := range rows(all) {
		for _, c := range r.contenders {
			t.Run(r.name+"/"+c.name, func(t *testing.T) {
				within(t, c, func(t *testing.T) {
					ctx, cancel := request()
					defer cancel()
					b := new(bed)
					defer b.close()
					l := c.start(b)
					for _, n := range []int{0, 1, 100} {
						if err := l(ctx, n); err != nil {
							t.Errorf("%d calls: %v", n, err)
						}
					}
				})
			})
		}
	}
}

func TestRowsAreNamedOnceAndBeginWithMettle(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range rows(all) {
		if names[r.name] {
			t.Errorf("two rows are named %s", r.name)
		}
		names[r.name] = true
		isMettle := func(c contender) bool { return strings.HasPrefix(c.name, "mettle") }
		if slices.ContainsFunc(r.contenders, isMettle) && !isMettle(r.contenders[0]) {
			t.Errorf("row %s begins with %s, want mettle, to which the ratios are", r.name, r.contenders[0].name)
		}
	}
}

func TestRowsAreChosenByName(t *testing.T) {
	if got := rows(regexp.MustCompile("^breaker/(open|closed)$")); len(got) != 2 || got[0].name != "breaker/closed" || got[1].name != "breaker/open" {
		t.Errorf("chose %d rows, want breaker/closed and breaker/open, in the order of the table", len(got))
	}
}
