package group_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// The same plans as for Run and Map, for Settle, First and Wait: each task in a function of its own, or an item.

type (
	settler func(context.Context, []planned, group.Config, func(context.Context, planned) (bool, error)) []group.Result[bool]
	firster func(context.Context, ...racer) (*resource, error)
	waiter  func(context.Context, time.Duration, ...racer) (map[int]group.Result[*resource], []int)
)

func checkSettle(p plan, settle settler) error {
	model := p
	model.tasks = slices.Clone(p.tasks)
	for i := range model.tasks {
		if model.tasks[i].does == panics { // in Settle it cancels no more than a failure does
			model.tasks[i].does = fails
		}
	}
	if model.maxFailures == 0 {
		model.maxFailures = -1
	}
	want, _ := model.outcomes()
	ctx, stop := p.context()
	defer stop()
	cfg := group.Config{Limit: p.limit, MaxFailures: p.maxFailures}
	got := settle(ctx, p.tasks, cfg, func(ctx context.Context, task planned) (bool, error) { return true, task.run(ctx) })
	for i, r := range got {
		ok := r.Err == nil
		switch want[i] {
		case fails:
			_, isPanic := r.Err.(*group.PanicError)
			ok = isPanic == (p.tasks[i].does == panics) && errors.Is(r.Err, errBoom)
		case exits:
			ok = r.Err == group.ErrGoexit
		case canceled:
			ok = r.Err != nil && r.Err != group.ErrGoexit
		case notStarted:
			ok = r.Err == group.ErrNotStarted
		}
		if !ok || r.Value != (r.Err == nil) {
			return fmt.Errorf("item %d: %+v, want fate %d", i, r, want[i])
		}
	}
	return nil
}

// context returns a context that ends when the plan's caller leaves.
func (p plan) context() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	timer := time.AfterFunc(p.leaves, func() { cancel(errors.New("user left")) })
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// race is the plan's tasks as functions, each with a value.
type race struct {
	live   atomic.Int32
	closed atomic.Int32
	values []*resource
	fns    []racer
}

func (p plan) race() *race {
	r := new(race)
	for i, task := range p.tasks {
		r.values = append(r.values, &resource{n: i, closed: &r.closed})
		r.fns = append(r.fns, func(ctx context.Context) (*resource, error) {
			r.live.Add(1)
			defer r.live.Add(-1)
			return r.values[i], task.run(ctx)
		})
	}
	return r
}

// wantClosed checks that the values that were made in vain, and no others, were closed once.
func (r *race) wantClosed(vain func(i int) bool) error {
	for i, v := range r.values {
		if n := v.times.Load(); vain(i) && n != 1 || !vain(i) && n != 0 {
			return fmt.Errorf("value %d was closed %d times", i, n)
		}
	}
	return nil
}

func checkFirst(p plan, first firster) error {
	ends := p.leaves // the first of what ends it
	panicked := false
	for _, task := range p.tasks {
		switch task.does {
		case works, obeys, stops, panics:
			ends = min(ends, task.takes)
			panicked = panicked || task.does == panics
		}
	}
	succeeds := func(i int) bool {
		task := p.tasks[i]
		return task.does == works || task.does == stops || task.does == obeys && task.takes <= ends
	}
	at := func(i int) time.Duration {
		task := p.tasks[i]
		if task.does == stops || task.does == obeys {
			return min(task.takes, ends)
		}
		return task.takes
	}
	var counts [4]int
	won, over := -1, time.Duration(0)
	for i, task := range p.tasks {
		over = max(over, at(i))
		switch {
		case succeeds(i):
			counts[0]++
			if won < 0 || at(i) < at(won) {
				won = i
			}
		case task.does == obeys:
			counts[2]++
		default:
			counts[1]++
		}
	}

	begin, r := time.Now(), p.race()
	ctx, stop := p.context()
	defer stop()
	got, err := first(ctx, r.fns...)
	if live := r.live.Load(); live != 0 || time.Since(begin) != over {
		return fmt.Errorf("%d functions are live after %v, want 0 after %v", live, time.Since(begin), over)
	}
	if won >= 0 && !panicked {
		if err != nil || got == nil || !succeeds(got.n) || at(got.n) != at(won) { // several may succeed because ctx ends
			return fmt.Errorf("%v, %v, want value %d", got, err, won)
		}
		won = got.n
	} else {
		all, ok := err.(*group.Error)
		if !ok || got != nil {
			return fmt.Errorf("%v, %v, want an *Error", got, err)
		}
		if n := [...]int{all.Succeeded, all.Failed, all.Canceled, all.NotStarted}; n != counts {
			return fmt.Errorf("counts %v, want %v", n, counts)
		}
		won = -1
	}
	return r.wantClosed(func(i int) bool { return succeeds(i) && i != won })
}

func checkWait(p plan, d time.Duration, wait waiter) error {
	ends := min(p.leaves, d)
	var in, out []int
	over := time.Duration(0)
	for i, task := range p.tasks {
		if task.takes <= ends || task.does == panics || task.does == exits {
			in = append(in, i)
		} else {
			out = append(out, i)
		}
		if task.does == stops || task.does == obeys {
			over = max(over, min(task.takes, ends))
		} else {
			over = max(over, task.takes)
		}
	}

	begin, r := time.Now(), p.race()
	ctx, stop := p.context()
	defer stop()
	done, pending := wait(ctx, d, r.fns...)
	if live := r.live.Load(); live != 0 || time.Since(begin) != over {
		return fmt.Errorf("%d functions are live after %v, want 0 after %v", live, time.Since(begin), over)
	}
	if !slices.Equal(pending, out) || len(done) != len(in) {
		return fmt.Errorf("done %v, pending %v, want %v, %v", done, pending, in, out)
	}
	for _, i := range in {
		got, found := done[i]
		_, isPanic := got.Err.(*group.PanicError)
		ok := got.Value == r.values[i] && got.Err == nil
		switch p.tasks[i].does {
		case fails:
			ok = got == group.Result[*resource]{Err: errBoom}
		case panics:
			ok = got.Value == nil && isPanic
		case exits:
			ok = got == group.Result[*resource]{Err: group.ErrGoexit}
		}
		if !ok || !found {
			return fmt.Errorf("function %d: %+v", i, got)
		}
	}
	return r.wantClosed(func(i int) bool {
		return slices.Contains(out, i) && (p.tasks[i].does == works || p.tasks[i].does == stops)
	})
}

// randomPlan returns a plan and a time for Wait.
func randomPlan(seed uint64) (plan, time.Duration) {
	r := rand.New(rand.NewPCG(seed, 3))
	data := make([]byte, 4+r.IntN(8))
	for i := range data {
		data[i] = byte(r.Uint32())
		if i > 2 && fate(data[i])%fates == panics && r.IntN(2) == 0 {
			data[i]++
		}
	}
	p := planFrom(data)
	p.stops, p.cuts = math.MaxInt64, math.MaxInt64 // there is no Stop here
	return p, time.Duration(r.IntN(40))<<22 + 1<<21 - 1<<10
}

func TestRacesFollowTheModel(t *testing.T) {
	for seed := range uint64(500) {
		p, d := randomPlan(seed)
		for name, check := range map[string]func() error{
			"Settle": func() error { return checkSettle(p, group.Settle[planned, bool]) },
			"First":  func() error { return checkFirst(p, group.First[*resource]) },
			"Wait":   func() error { return checkWait(p, d, group.Wait[*resource]) },
		} {
			synctest.Test(t, func(t *testing.T) {
				if err := check(); err != nil {
					t.Errorf("seed %d: %s: %v: %+v, %v", seed, name, err, p, d)
				}
			})
		}
	}
}

// each makes one of all functions.
func each(fns []racer, f func(i int, fn racer) racer) []racer {
	fns = slices.Clone(fns)
	for i, fn := range fns {
		fns[i] = f(i, fn)
	}
	return fns
}

func TestTheModelFindsBadRaces(t *testing.T) {
	bad := map[string]func(p plan, d time.Duration) error{
		"Settle that cancels": func(p plan, _ time.Duration) error {
			return checkSettle(p, func(ctx context.Context, items []planned, cfg group.Config, fn func(context.Context, planned) (bool, error)) []group.Result[bool] {
				cfg.MaxFailures = max(cfg.MaxFailures, 1)
				return group.Settle(ctx, items, cfg, fn)
			})
		},
		"Settle of another value": func(p plan, _ time.Duration) error {
			return checkSettle(p, func(ctx context.Context, items []planned, cfg group.Config, fn func(context.Context, planned) (bool, error)) []group.Result[bool] {
				got := group.Settle(ctx, items, cfg, fn)
				got[len(got)-1].Value = true
				return got
			})
		},
		"First that does not wait": func(p plan, _ time.Duration) error {
			return checkFirst(p, func(ctx context.Context, fns ...racer) (v *resource, err error) {
				ended := make(chan struct{}, len(fns)+1)
				go func() {
					v, err = group.First(ctx, each(fns, func(_ int, fn racer) racer {
						return func(ctx context.Context) (*resource, error) {
							defer func() { ended <- struct{}{} }()
							return fn(ctx)
						}
					})...)
				}()
				<-ended
				synctest.Wait()
				return v, err
			})
		},
		"First that closes nothing": func(p plan, _ time.Duration) error {
			return checkFirst(p, func(ctx context.Context, fns ...racer) (*resource, error) {
				type wrapped struct{ v *resource }
				var plain []func(context.Context) (wrapped, error)
				for _, fn := range fns {
					plain = append(plain, func(ctx context.Context) (wrapped, error) { v, err := fn(ctx); return wrapped{v}, err })
				}
				w, err := group.First(ctx, plain...)
				return w.v, err
			})
		},
		"First that does not cancel": func(p plan, _ time.Duration) error {
			return checkFirst(p, func(ctx context.Context, fns ...racer) (*resource, error) {
				return group.First(ctx, each(fns, func(_ int, fn racer) racer {
					return func(context.Context) (*resource, error) { return fn(ctx) }
				})...)
			})
		},
		"First that takes the last of its functions": func(p plan, _ time.Duration) error {
			return checkFirst(p, func(ctx context.Context, fns ...racer) (*resource, error) {
				return group.First(ctx, fns[len(fns)-1])
			})
		},
		"Wait with more time": func(p plan, d time.Duration) error {
			return checkWait(p, d, func(ctx context.Context, d time.Duration, fns ...racer) (map[int]group.Result[*resource], []int) {
				return group.Wait(ctx, d+1<<24, fns...)
			})
		},
		"Wait that does not cancel": func(p plan, d time.Duration) error {
			return checkWait(p, d, func(ctx context.Context, d time.Duration, fns ...racer) (map[int]group.Result[*resource], []int) {
				return group.Wait(ctx, d, each(fns, func(_ int, fn racer) racer {
					return func(context.Context) (*resource, error) { return fn(ctx) }
				})...)
			})
		},
		"Wait that hides late panics": func(p plan, d time.Duration) error {
			return checkWait(p, d, func(ctx context.Context, d time.Duration, fns ...racer) (map[int]group.Result[*resource], []int) {
				return group.Wait(ctx, d, each(fns, func(_ int, fn racer) racer {
					return func(ctx context.Context) (_ *resource, err error) {
						defer func() {
							if ctx.Err() != nil && recover() != nil {
								err = errBoom
							}
						}()
						return fn(ctx)
					}
				})...)
			})
		},
		"Wait that mixes them up": func(p plan, d time.Duration) error {
			return checkWait(p, d, func(ctx context.Context, d time.Duration, fns ...racer) (map[int]group.Result[*resource], []int) {
				slices.Reverse(fns)
				return group.Wait(ctx, d, fns...)
			})
		},
	}
	for name, check := range bad {
		found := false
		for seed := uint64(0); seed < 500 && !found; seed++ {
			synctest.Test(t, func(*testing.T) {
				found = check(randomPlan(seed)) != nil
				time.Sleep(time.Hour) // a bad one may have left something running
			})
		}
		if !found {
			t.Errorf("%s: not found", name)
		}
	}
}
