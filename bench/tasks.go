package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/mettle-go/mettle/group"
)

const (
	scope     = 1000 // tasks that are waited for together
	taskLimit = 64
	unlimited = 0
)

func taskRows() []row {
	return []row{
		{"tasks/unlimited", "a task, 1,000 of which are waited for together", contenders(runners(), unlimited, scopes(scope), checkRuns)},
		{"tasks/limited", "a task, 1,000 of which are waited for together, 64 at a time", contenders(runners(), taskLimit, scopes(scope), checkRuns)},
	}
}

// runners run limit tasks at a time; 0 means no limit. The first failure cancels the context of all. Each task is a closure of its own, as
// it is in programs.
func runners() []rival[int, runner] {
	return []rival[int, runner]{
		{"mettle", func(_ *bed, limit int) runner {
			return func(ctx context.Context, n int, task func(context.Context, int) error) error {
				return group.RunWith(ctx, group.Config{Limit: limit}, func(g *group.Group) error {
					for i := range n {
						g.Go(func(ctx context.Context) error { return task(ctx, i) })
					}
					return nil
				})
			}
		}},
		{"sync.WaitGroup.Go by hand", func(_ *bed, limit int) runner { return byHandTasks(limit) }},
		{"errgroup", func(_ *bed, limit int) runner {
			return func(ctx context.Context, n int, task func(context.Context, int) error) error {
				g, ctx := errgroup.WithContext(ctx)
				if limit != unlimited {
					g.SetLimit(limit)
				}
				for i := range n {
					g.Go(func() error { return task(ctx, i) })
				}
				return g.Wait()
			}
		}},
		{"conc pool", func(_ *bed, limit int) runner {
			return func(ctx context.Context, n int, task func(context.Context, int) error) error {
				p := pool.New()
				if limit != unlimited {
					p = p.WithMaxGoroutines(limit)
				}
				g := p.WithContext(ctx).WithCancelOnError()
				for i := range n {
					g.Go(func(ctx context.Context) error { return task(ctx, i) })
				}
				return g.Wait()
			}
		}},
		{"ants", antsRunner},
		{"pond", func(_ *bed, limit int) runner {
			p := pond.NewPool(limit)
			return func(ctx context.Context, n int, task func(context.Context, int) error) error {
				g := p.NewGroupContext(ctx)
				defer g.Stop() // or ctx would keep it for as long as it lives
				ctx = g.Context()
				for i := range n {
					g.SubmitErr(func() error { return task(ctx, i) })
				}
				return g.Wait()
			}
		}},
	}
}

// antsRunner makes its pool once, for all calls. Waiting for some of its tasks, and their errors, are the caller's affair.
func antsRunner(b *bed, limit int) runner {
	size := limit
	if limit == unlimited {
		size = -1
	}
	p := must(ants.NewPool(size))
	b.cleanup(p.Release)
	return func(ctx context.Context, n int, task func(context.Context, int) error) error {
		ctx, first := watch(ctx)
		defer first.cancel()
		var wg sync.WaitGroup
		for i := range n {
			wg.Add(1)
			err := p.Submit(func() {
				defer wg.Done()
				first.note(task(ctx, i))
			})
			if err != nil {
				wg.Done()
				first.note(err)
			}
		}
		wg.Wait()
		return first.result()
	}
}

// byHandTasks takes a place from a channel before each task, if there is a limit.
func byHandTasks(limit int) runner {
	return func(ctx context.Context, n int, task func(context.Context, int) error) error {
		ctx, first := watch(ctx)
		defer first.cancel()
		var wg sync.WaitGroup
		if limit == unlimited {
			for i := range n {
				wg.Go(func() { first.note(task(ctx, i)) })
			}
			wg.Wait()
			return first.result()
		}
		places := make(chan struct{}, limit)
		for i := range n {
			select {
			case places <- struct{}{}:
				wg.Go(func() {
					defer func() { <-places }()
					first.note(task(ctx, i))
				})
				continue
			case <-ctx.Done():
			}
			break
		}
		wg.Wait()
		return first.result()
	}
}

// scopes is a loop whose tasks are run so many together.
func scopes(size int) func(runner) loop {
	return func(do runner) loop {
		return func(ctx context.Context, n int) error {
			for ; n > 0; n -= size {
				if do(ctx, min(n, size), func(context.Context, int) error { return nil }) != nil {
					return errFailed
				}
			}
			return nil
		}
	}
}

// checkRuns returns an error unless every task runs once, all are waited for, the limit is kept, and a failure is passed on and ends the rest.
func checkRuns(build func(limit int) runner) error {
	for _, limit := range []int{unlimited, 2, taskLimit} {
		do := build(limit)
		for _, n := range []int{0, 1, scope} {
			if err := runsEach(do, n); err != nil {
				return fmt.Errorf("limit %d: %d tasks: %w", limit, n, err)
			}
		}
		n, most := 3*limit, limit
		if limit == unlimited {
			n, most = 100, 100
		}
		for _, check := range []func() error{
			func() error { return passesOn(do) },
			func() error { return gathers(do, n, most) },
			func() error { return cancels(do) },
		} {
			if err := check(); err != nil {
				return fmt.Errorf("limit %d: %w", limit, err)
			}
		}
	}
	return nil
}

// runsEach returns an error unless do runs n tasks, each once.
func runsEach(do runner, n int) error {
	ctx, cancel := patient()
	defer cancel()
	runs := make([]atomic.Int64, n)
	if err := do(ctx, n, func(_ context.Context, i int) error { runs[i].Add(1); return nil }); err != nil {
		return err
	}
	for i := range runs {
		if once := runs[i].Load(); once != 1 {
			return fmt.Errorf("ran task %d %d times", i, once)
		}
	}
	return nil
}

// cancels returns an error unless a task that fails ends the context of one that waits for that.
func cancels(do runner) error {
	ctx, cancel := patient()
	defer cancel()
	err := do(ctx, 2, func(own context.Context, i int) error {
		if i == 1 {
			return errDown
		}
		select {
		case <-own.Done():
			return own.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if ctx.Err() != nil {
		return errors.New("a failure did not end the context of the other task")
	}
	if !errors.Is(err, errDown) {
		return fmt.Errorf("returned %v where a task returned %v and another one was canceled by that", err, errDown)
	}
	return nil
}
