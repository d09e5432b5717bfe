package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// The impostors among those that do several things at once are made of what works, by one change.

func mapImpostors() []impostor {
	type items = []int
	type function = func(context.Context, int) (int, error)
	changed := func(change func(do mapper, ctx context.Context, in items, fn function) (items, error)) func() error {
		return func() error {
			return checkMaps(func(limit int) mapper {
				do := byHandIndex(limit)
				return func(ctx context.Context, in items, fn function) (items, error) { return change(do, ctx, in, fn) }
			})
		}
	}
	limits := func(limit func(int) int) func() error {
		return func() error { return checkMaps(func(n int) mapper { return byHandIndex(limit(n)) }) }
	}
	return []impostor{
		{"map: leaves the last item out", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			out, err := do(ctx, in[:max(0, len(in)-1)], fn)
			return append(out, in[len(out):]...), err
		})},
		{"map: forgets the last result", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			out, err := do(ctx, in, fn)
			return out[:max(0, len(out)-1)], err
		})},
		{"map: maps an item twice", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			if len(in) > 5 {
				fn(ctx, in[5])
			}
			return do(ctx, in, fn)
		})},
		{"map: mixes the results up", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			out, err := do(ctx, in, fn)
			slices.Reverse(out)
			return out, err
		})},
		{"map: hands the index over", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			indices := make(items, len(in))
			for i := range in {
				indices[i] = i
			}
			return do(ctx, indices, fn)
		})},
		{"map: swallows the error", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			out, _ := do(ctx, in, fn)
			return out, nil
		})},
		{"map: loses the context", changed(func(do mapper, ctx context.Context, in items, fn function) (items, error) {
			return do(ctx, in, func(_ context.Context, v int) (int, error) { return fn(t0, v) })
		})},
		{"map: fails once and for all", func() error {
			return checkMaps(func(limit int) mapper {
				do, broken := byHandIndex(limit), error(nil)
				return func(ctx context.Context, in items, fn function) (items, error) {
					out, err := do(ctx, in, fn)
					broken = errors.Join(broken, err)
					return out, broken
				}
			})
		}},
		{"map: one too many at a time", limits(func(n int) int { return n + 1 })},
		{"map: one too few at a time", limits(func(n int) int { return max(1, n-1) })},
	}
}

func taskImpostors() []impostor {
	type task = func(context.Context, int) error
	changed := func(change func(do runner, ctx context.Context, n int, fn task) error) func() error {
		return func() error {
			return checkRuns(func(limit int) runner {
				do := byHandTasks(limit)
				return func(ctx context.Context, n int, fn task) error { return change(do, ctx, n, fn) }
			})
		}
	}
	limits := func(limit func(int) int) func() error {
		return func() error { return checkRuns(func(n int) runner { return byHandTasks(limit(n)) }) }
	}
	return []impostor{
		{"tasks: leaves the last one out", changed(func(do runner, ctx context.Context, n int, fn task) error {
			return do(ctx, max(0, n-1), fn)
		})},
		{"tasks: runs one twice", changed(func(do runner, ctx context.Context, n int, fn task) error {
			if n > 0 {
				fn(ctx, 0)
			}
			return do(ctx, n, fn)
		})},
		{"tasks: runs the first in place of all", changed(func(do runner, ctx context.Context, n int, fn task) error {
			return do(ctx, n, func(ctx context.Context, _ int) error { return fn(ctx, 0) })
		})},
		{"tasks: swallows the error", changed(func(do runner, ctx context.Context, n int, fn task) error {
			do(ctx, n, fn)
			return nil
		})},
		{"tasks: loses the context", changed(func(do runner, ctx context.Context, n int, fn task) error {
			return do(ctx, n, func(_ context.Context, i int) error { return fn(t0, i) })
		})},
		{"tasks: a failure cancels nothing", changed(func(do runner, ctx context.Context, n int, fn task) error {
			return do(ctx, n, func(_ context.Context, i int) error { return fn(ctx, i) })
		})},
		{"tasks: the cancellation hides the failure", changed(func(do runner, ctx context.Context, n int, fn task) error {
			err := do(ctx, n, fn)
			if n == 2 && err != nil {
				return context.Canceled
			}
			return err
		})},
		{"tasks: does not wait", changed(func(_ runner, ctx context.Context, n int, fn task) error {
			errs := make(chan error, n)
			for i := range n {
				go func() { errs <- fn(ctx, i) }()
			}
			return nil
		})},
		{"tasks: one by one", changed(func(_ runner, ctx context.Context, n int, fn task) error {
			for i := range n {
				if err := fn(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})},
		{"tasks: without a limit", limits(func(int) int { return unlimited })},
		{"tasks: always a limit", limits(func(n int) int { return min(max(n, 1), taskLimit) })},
		{"tasks: one too many at a time", limits(func(n int) int {
			if n == unlimited {
				return n
			}
			return n + 1
		})},
	}
}

// channelConduit is the contender of that name.
func channelConduit(size int) conduit { return conduits()[1].build(new(bed), size) }

func queueImpostors() []impostor {
	changed := func(change func(conduit) conduit) func() error {
		return func() error { return checkConduit(func(size int) conduit { return change(channelConduit(size)) }) }
	}
	limits := func(limit func(int) int) func() error {
		return func() error { return checkConduit(func(size int) conduit { return channelConduit(limit(size)) }) }
	}
	return []impostor{
		{"queue: one place too many", limits(func(n int) int { return n + 1 })},
		{"queue: one place too few", limits(func(n int) int { return max(1, n-1) })},
		{"queue: hardly a bound", limits(func(n int) int { return 100 * n })},
		{"queue: does not wait to get", changed(func(c conduit) conduit {
			return conduit{c.put, func(ctx context.Context) (int, error) {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				return c.get(ended)
			}}
		})},
		{"queue: gives up and puts nevertheless", changed(func(c conduit) conduit {
			return conduit{func(ctx context.Context, v int) error {
				err := c.put(ctx, v)
				if err != nil {
					go c.put(t0, v)
				}
				return err
			}, c.get}
		})},
		{"queue: says that it gave up", func() error {
			return checkOrder(func(size int) conduit {
				c := channelConduit(size)
				return conduit{func(ctx context.Context, v int) error { c.put(ctx, v); return errFull }, c.get}
			})
		}},
		{"queue: swaps neighbors", func() error {
			return checkOrder(func(size int) conduit {
				c, held := channelConduit(size), make(chan int, 1)
				return conduit{func(ctx context.Context, v int) error {
					select {
					case before := <-held:
						return errors.Join(c.put(ctx, v), c.put(ctx, before))
					case held <- v:
						return nil
					}
				}, c.get}
			})
		}},
		{"queue: an item in place of its neighbor", func() error {
			return checkOrder(func(size int) conduit {
				c := channelConduit(size)
				return conduit{func(ctx context.Context, v int) error { return c.put(ctx, v&^1) }, c.get}
			})
		}},
		{"queue: makes items up", func() error {
			return checkOrder(func(size int) conduit {
				c := channelConduit(size)
				return conduit{c.put, func(ctx context.Context) (int, error) { v, err := c.get(ctx); return v - 1, err }}
			})
		}},
	}
}

func lockImpostors() []impostor {
	locks := func(build func() act) func() error {
		return func() error { return checkLocks(func(struct{}) act { return build() }) }
	}
	return []impostor{
		{"lock: open", locks(func() act { return pass })},
		{"lock: shut", locks(func() act { return rejectAll })},
		{"lock: of two places", locks(func() act { return places(2, false, false) })},
		{"lock: does not wait", locks(func() act { return places(1, true, false) })},
		{"lock: stays locked after a failure", locks(func() act { return places(1, false, true) })},
		{"lock: without a context, open", func() error { return checkExcludes(always[struct{}](act(pass))) }},
	}
}

// partImpostors go straight to a part of a check, where another part would catch them too.
func partImpostors() []impostor {
	failed := errors.New("failed before")
	return []impostor{
		{"gathers: runs no more than fit in", func() error {
			return gathers(func(ctx context.Context, _ int, fn func(context.Context, int) error) error {
				return byHandTasks(2)(ctx, 2, fn)
			}, 6, 2)
		}},
		{"passesOn: fails once and for all", func() error {
			var broken error
			return passesOn(func(ctx context.Context, n int, fn func(context.Context, int) error) error {
				if broken == nil && byHandTasks(2)(ctx, n, fn) != nil {
					broken = failed
					return errDown
				}
				return broken
			})
		}},
		{"mapsEach: maps an item twice", func() error {
			return mapsEach(func(ctx context.Context, in []int, fn func(context.Context, int) (int, error)) ([]int, error) {
				fn(ctx, in[0])
				return byHandIndex(2)(ctx, in, fn)
			}, 10)
		}},
		{"fillsUp: another item", func() error {
			c := channelConduit(3)
			return fillsUp(conduit{c.put, func(ctx context.Context) (int, error) { v, err := c.get(ctx); return v ^ 1, err }}, 3)
		}},
		{"givesUp: at once", func() error { return givesUp(t0, func(context.Context) error { return errFull }) }},
		{"givesUp: succeeds", func() error { return givesUp(t0, nothing) }},
	}
}

func TestChecksCatchImpostorsAtWork(t *testing.T) {
	for _, i := range slices.Concat(mapImpostors(), taskImpostors(), queueImpostors(), lockImpostors(), partImpostors()) {
		t.Run(i.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := i.check(); err == nil {
					t.Error("the check found nothing wrong")
				}
			})
		})
	}
}

// What is written by hand is a contender and the stuff of impostors: it must not claim success when its context ended before the work was done.
func TestByHandAnEndedContextIsAnError(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	items := []int{1, 2, 3}
	for name, do := range map[string]mapper{"index": byHandIndex(2), "workers": byHandWorkers(2), "ants": antsMapper(2)} {
		if _, err := do(ended, items, successor); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %v", name, err, context.Canceled)
		}
	}
	for _, limit := range []int{unlimited, 2} {
		if err := byHandTasks(limit)(ended, 3, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("tasks, limit %d: error %v, want %v", limit, err, context.Canceled)
		}
	}
}

func TestLoopsOfWorkNoticeWhatGoesWrong(t *testing.T) {
	mapping := func(change func([]int) []int, err error) mapper {
		return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
			out, _ := byHandIndex(2)(ctx, items, fn)
			return change(out), err
		}
	}
	same := func(out []int) []int { return out }
	passing := func(change func(int) int, err error) conduit {
		c := channelConduit(4)
		return conduit{c.put, func(ctx context.Context) (int, error) { v, _ := c.get(ctx); return change(v), err }}
	}
	for name, c := range map[string]struct {
		loop loop
		want error
	}{
		"items":            {maps(4)(mapping(same, nil)), nil},
		"a failed item":    {maps(4)(mapping(same, errDown)), errFailed},
		"too few results":  {maps(4)(mapping(func(out []int) []int { return out[1:] }, nil)), errAnother},
		"another result":   {maps(4)(mapping(func(out []int) []int { out[len(out)-1] = 0; return out }, nil)), errAnother},
		"tasks":            {scopes(4)(byHandTasks(2)), nil},
		"a failed task":    {scopes(4)(func(context.Context, int, func(context.Context, int) error) error { return errDown }), errFailed},
		"items of one":     {exchanges(1)(channelConduit(4)), nil},
		"items of several": {exchanges(3)(channelConduit(4)), nil},
		"a lost item":      {exchanges(3)(passing(func(v int) int { return v / 3 * 3 }, nil)), errGone},
		"an item not got":  {exchanges(3)(passing(func(v int) int { return v }, errDown)), errDown},
	} {
		if err := c.loop(t.Context(), 10); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: the loop returned %v, want %v", name, err, c.want)
		}
	}
}

// Of n calls all are made, also where they are more than what goes together.
func TestLoopsOfWorkDoAllOfIt(t *testing.T) {
	for _, n := range []int{0, 1, 3, 4, 5, 17} {
		items, tasks, c := 0, 0, channelConduit(4)
		var passed atomic.Int64
		loops := []loop{
			maps(4)(func(_ context.Context, in []int, fn func(context.Context, int) (int, error)) (out []int, err error) {
				items += len(in)
				for _, v := range in {
					out = append(out, v+1)
				}
				return out, nil
			}),
			scopes(4)(func(_ context.Context, n int, _ func(context.Context, int) error) error { tasks += n; return nil }),
			exchanges(3)(conduit{c.put, func(ctx context.Context) (int, error) { passed.Add(1); return c.get(ctx) }}),
		}
		for _, l := range loops {
			if err := l(t.Context(), n); err != nil {
				t.Errorf("%d calls: %v", n, err)
			}
		}
		if items != n || tasks != n || passed.Load() != int64(n) {
			t.Errorf("of %d calls mapped %d items, ran %d tasks, passed %d items on", n, items, tasks, passed.Load())
		}
	}
}
