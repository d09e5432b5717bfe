package hedge_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

var errDown = errors.New("down")

// behavior is what a run does: it takes that long, unless it is canceled and polite, and returns err.
type behavior struct {
	takes    time.Duration
	err      error
	stubborn bool // does not heed its context
}

// conn is a result that must be closed once unless it is returned.
type conn struct {
	run    int // from 0
	closed atomic.Int32
}

func (c *conn) Close() error { c.closed.Add(1); return nil }

// script is a function whose nth run has the nth behavior, and what became of the runs.
type script struct {
	behaviors []behavior

	mu      sync.Mutex
	began   time.Time
	started []time.Duration
	ended   []time.Duration
	causes  []error // of the runs' contexts at their end
	conns   []*conn
}

func (s *script) call(ctx context.Context) (*conn, error) {
	s.mu.Lock()
	n := len(s.started)
	if n == 0 {
		s.began = time.Now()
	}
	s.started = append(s.started, time.Since(s.began))
	s.ended = append(s.ended, -1)
	s.causes = append(s.causes, nil)
	c := &conn{run: n}
	s.conns = append(s.conns, c)
	b := s.behaviors[min(n, len(s.behaviors)-1)]
	s.mu.Unlock()
	err := b.err
	if b.stubborn {
		time.Sleep(b.takes)
	} else {
		select {
		case <-time.After(b.takes):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[n] = time.Since(s.began)
	s.causes[n] = context.Cause(ctx)
	if err != nil {
		return nil, err
	}
	return c, nil
}

const s = time.Second

func TestCourseOfACall(t *testing.T) {
	for name, c := range map[string]struct {
		max     int
		runs    []behavior
		started []time.Duration
		took    time.Duration
		winner  int   // -1: the call fails
		err     error // that it fails with
		failed  int   // how many errors *Error has; 0 if there is none
	}{
		"fast":              {1, []behavior{{takes: s / 2}}, []time.Duration{0}, s / 2, 0, nil, 0},
		"the hedge wins":    {1, []behavior{{takes: 9 * s}, {takes: s}}, []time.Duration{0, s}, 2 * s, 1, nil, 0},
		"the first wins":    {1, []behavior{{takes: 3 * s}, {takes: 9 * s}}, []time.Duration{0, s}, 3 * s, 0, nil, 0},
		"one further only":  {1, []behavior{{takes: 9 * s}, {takes: 9 * s}}, []time.Duration{0, s}, 9 * s, 0, nil, 0},
		"three further":     {3, []behavior{{takes: 9 * s}, {takes: 9 * s}, {takes: 9 * s}, {takes: s}}, []time.Duration{0, s, 2 * s, 3 * s}, 4 * s, 3, nil, 0},
		"no more than that": {2, []behavior{{takes: 9 * s}}, []time.Duration{0, s, 2 * s}, 9 * s, 0, nil, 0},

		"a failing hedge does not win": {1, []behavior{{takes: 4 * s}, {takes: s, err: errDown}}, []time.Duration{0, s}, 4 * s, 0, nil, 0},
		"nor stop the next":            {2, []behavior{{takes: 9 * s}, {err: errDown}, {takes: s}}, []time.Duration{0, s, 2 * s}, 3 * s, 2, nil, 0},
		"fails before the hedge":       {1, []behavior{{takes: s / 2, err: errDown}, {}}, []time.Duration{0}, s / 2, -1, errDown, 0},
		"fails beside the hedge":       {1, []behavior{{takes: 2 * s, err: errDown}, {takes: 4 * s}}, []time.Duration{0, s}, 5 * s, 1, nil, 0},
		"no hedge after a failure":     {5, []behavior{{takes: 2*s + 1, err: errDown}, {takes: 9 * s}}, []time.Duration{0, s, 2 * s}, 10 * s, 1, nil, 0},
		"both fail":                    {1, []behavior{{takes: 2 * s, err: errDown}, {takes: 2 * s, err: errors.New("odd")}}, []time.Duration{0, s}, 3 * s, -1, errDown, 2},
		"the hedge fails first":        {1, []behavior{{takes: 4 * s, err: errDown}, {takes: s, err: errors.New("odd")}}, []time.Duration{0, s}, 4 * s, -1, errDown, 2},

		"losers are waited for":       {1, []behavior{{takes: 9 * s, stubborn: true}, {takes: s}}, []time.Duration{0, s}, 9 * s, 1, nil, 0},
		"also further ones":           {1, []behavior{{takes: 2 * s}, {takes: 7 * s, stubborn: true}}, []time.Duration{0, s}, 8 * s, 0, nil, 0},
		"a late success does not win": {2, []behavior{{takes: 9 * s, stubborn: true}, {takes: 5 * s, stubborn: true}, {takes: s}}, []time.Duration{0, s, 2 * s}, 9 * s, 2, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			script := &script{behaviors: c.runs}
			p := hedge.New(hedge.Config{Name: "x", Delay: s, Max: c.max, Budget: hedge.Unlimited})
			start := time.Now()
			got, err := mettle.Call(t.Context(), p, script.call)
			if took := time.Since(start); took != c.took {
				t.Errorf("%s: took %v, want %v", name, took, c.took)
			}
			if !slices.Equal(script.started, c.started) {
				t.Errorf("%s: runs started at %v, want %v", name, script.started, c.started)
			}
			if slices.Contains(script.ended, -1) {
				t.Errorf("%s: a run outlived the call", name)
			}
			if c.winner >= 0 && (err != nil || got == nil || got.run != c.winner) {
				t.Errorf("%s: %+v, %v, want the result of run %d", name, got, err, c.winner)
			}
			if c.winner < 0 && (got != nil || !errors.Is(err, c.err)) {
				t.Errorf("%s: %+v, %v, want %v", name, got, err, c.err)
			}
			if all, ok := errors.AsType[*hedge.Error](err); ok != (c.failed > 0) || ok && (len(all.Runs) != c.failed || all.Runs[0] != c.err) {
				t.Errorf("%s: %#v, want the errors of %d runs", name, err, c.failed)
			}
			for i, conn := range script.conns {
				want := int32(0)
				if i != c.winner && c.runs[min(i, len(c.runs)-1)].stubborn {
					want = 1 // it succeeded, in vain
				}
				if n := conn.closed.Load(); n != want {
					t.Errorf("%s: the result of run %d was closed %d times, want %d", name, i, n, want)
				}
				if lost := script.causes[i] == hedge.ErrLost; c.winner >= 0 && lost != (i != c.winner && script.ended[i] >= script.ended[c.winner]) {
					t.Errorf("%s: run %d ended at %v with the cause %v; run %d won at %v", name, i, script.ended[i], script.causes[i], c.winner, script.ended[c.winner])
				}
			}
		})
	}
}

// The first run ends at the very moment at which the timer fires. A run that started after that would have nobody to cancel it.
func TestTimerThatFiresAtTheEnd(t *testing.T) {
	for _, err := range []error{nil, errDown} {
		for range 300 {
			synctest.Test(t, func(t *testing.T) {
				script := &script{behaviors: []behavior{{takes: s, err: err, stubborn: true}, {takes: 9 * s}}}
				start := time.Now()
				c, got := mettle.Call(t.Context(), hedge.New(hedge.Config{Delay: s, Budget: hedge.Unlimited}), script.call)
				switch took := time.Since(start); {
				case err == nil && (got != nil || c.run != 0 || took != s):
					t.Errorf("%v after %v, want the first run's result after 1s", got, took)
				case err != nil && len(script.started) == 1 && (got != err || took != s):
					t.Errorf("%v after %v, want %v after 1s", got, took, err)
				case err != nil && len(script.started) == 2 && (got != nil || c.run != 1 || took != 10*s):
					t.Errorf("%v after %v, want the second run's result after 10s", got, took)
				}
			})
		}
	}
}

func TestValidateNamesFieldAndValue(t *testing.T) {
	for _, c := range []struct {
		config hedge.Config
		want   string // empty for a good one
	}{
		{hedge.Config{Delay: 1}, ""},
		{hedge.Config{Quantile: 0.999, Max: 7}, ""},
		{hedge.Config{}, "hedge: Config.Delay and Config.Quantile are 0, want one of them more than 0"},
		{hedge.Config{Delay: s, Quantile: 0.5}, "hedge: Config.Delay is 1s and Config.Quantile is 0.5, want one of them 0"},
		{hedge.Config{Delay: -s}, "hedge: Config.Delay is -1s, want more than 0"},
		{hedge.Config{Quantile: -0.1}, "hedge: Config.Quantile is -0.1, want between 0 and 1"},
		{hedge.Config{Quantile: 1}, "hedge: Config.Quantile is 1, want between 0 and 1"},
		{hedge.Config{Quantile: 95}, "hedge: Config.Quantile is 95, want between 0 and 1"},
		{hedge.Config{Quantile: math.NaN()}, "hedge: Config.Quantile is NaN, want between 0 and 1"},
		{hedge.Config{Delay: s, Max: -1}, "hedge: Config.Max is -1, want 0 or more"},
	} {
		err := c.config.Validate()
		if c.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.config, err)
			}
			hedge.New(c.config)
			continue
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%+v: %v, want %s", c.config, err, c.want)
		}
		func() {
			defer func() {
				if v := recover(); v != c.want {
					t.Errorf("New panics with %v, want %s", v, c.want)
				}
			}()
			hedge.New(c.config)
		}()
	}
}

func TestErrorTellsAllRuns(t *testing.T) {
	odd := errors.New("odd")
	for _, c := range []struct {
		name, want string
	}{
		{"", "hedge: all 2 runs failed: down; odd"},
		{"users", "hedge: users: all 2 runs failed: down; odd"},
	} {
		err := &hedge.Error{Name: c.name, Runs: []error{errDown, odd}}
		if err.Error() != c.want || !errors.Is(err, errDown) || !errors.Is(err, odd) {
			t.Errorf("%q, want %q, and to be both", err, c.want)
		}
	}
}

// Whether the function ran: only if no run got to it the error is a rejection.
func TestRejectedRuns(t *testing.T) {
	rejection := mettle.Reject("gate", "g", errors.New("gate: full"), nil)
	for _, c := range []struct {
		first, second error
		rejected      bool
	}{
		{rejection, rejection, true},
		{rejection, errDown, false},
		{errDown, rejection, false},
		{errDown, errDown, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := hedge.New(hedge.Config{Delay: s, Budget: hedge.Unlimited})
			script := &script{behaviors: []behavior{{takes: 3 * s, err: c.first}, {takes: s, err: c.second}}}
			_, err := mettle.Call(t.Context(), p, script.call)
			if got := errors.Is(err, mettle.ErrRejected); got != c.rejected {
				t.Errorf("%v and %v: is a rejection: %t", c.first, c.second, got)
			}
			if !strings.Contains(err.Error(), c.first.Error()) || !strings.Contains(err.Error(), c.second.Error()) {
				t.Errorf("%q does not tell %q and %q", err, c.first, c.second)
			}
		})
	}
}

// A further run that was rejected costs nothing: it can be made again.
func TestRejectedHedgeGivesItsTokenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := hedge.NewBudget(hedge.BudgetConfig{Ratio: 1})
		p := hedge.New(hedge.Config{Delay: s, Budget: budget})
		for range 3 {
			script := &script{behaviors: []behavior{{takes: 2 * s}, {err: mettle.Reject("gate", "", nil, nil)}}}
			before := budget.Available()
			if c, err := mettle.Call(t.Context(), p, script.call); err != nil || c.run != 0 || len(script.started) != 2 {
				t.Errorf("%v, %v after %d runs, want the first of 2", c, err, len(script.started))
			}
			if got := budget.Available(); got != before+1 {
				t.Errorf("%v tokens, want %v: those before and the call's own", got, before+1)
			}
		}
	})
}

func TestClassifyDecidesWhoWins(t *testing.T) {
	found, unsure := errors.New("not found"), errors.New("unsure")
	p := hedge.Config{Delay: s, Budget: hedge.Unlimited, Classify: func(err error) mettle.Verdict {
		switch err {
		case found:
			return mettle.Success
		case unsure:
			return mettle.Ignore
		}
		return mettle.Failure
	}}
	for _, c := range []struct {
		runs []behavior
		want error
		took time.Duration
	}{
		{[]behavior{{takes: 9 * s}, {takes: s, err: found}}, found, 2 * s},
		{[]behavior{{takes: 9 * s}, {takes: s, err: unsure}}, nil, 9 * s},
		{[]behavior{{takes: 2 * s, err: unsure}, {takes: 9 * s}}, nil, 10 * s},
		{[]behavior{{takes: s / 2, err: unsure}}, unsure, s / 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			script := &script{behaviors: c.runs}
			start := time.Now()
			_, err := mettle.Call(t.Context(), hedge.New(p), script.call)
			if err != c.want || time.Since(start) != c.took {
				t.Errorf("%v: %v after %v, want %v after %v", c.runs, err, time.Since(start), c.want, c.took)
			}
		})
	}
}
