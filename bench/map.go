package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	"github.com/sourcegraph/conc/iter"
	"golang.org/x/sync/errgroup"

	"github.com/mettle-go/mettle/group"
)

// A mapper calls fn for each item, several at a time, and returns the results in the order of the items, and an error if one failed.
type mapper func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error)

const (
	mapped   = 100_000 // items of one call
	mapLimit = 64
)

func mapRows() []row {
	return []row{{"map", "an item of 100,000 in a slice, 64 at a time", contenders(mappers(), mapLimit, maps(mapped), checkMaps)}}
}

// mappers call their function for limit items at a time.
func mappers() []rival[int, mapper] {
	return []rival[int, mapper]{
		{"mettle", func(_ *bed, limit int) mapper {
			return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
				return group.Map(ctx, items, group.Config{Limit: limit}, fn)
			}
		}},
		{"atomic index by hand", func(_ *bed, limit int) mapper { return byHandIndex(limit) }},
		{"channel by hand", func(_ *bed, limit int) mapper { return byHandWorkers(limit) }},
		{"conc iter", func(_ *bed, limit int) mapper {
			return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
				m := iter.Mapper[int, int]{MaxGoroutines: limit}
				return m.MapErr(items, func(v *int) (int, error) { return fn(ctx, *v) })
			}
		}},
		// As in its example named Parallel.
		{"errgroup", func(_ *bed, limit int) mapper {
			return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
				results := make([]int, len(items))
				g, ctx := errgroup.WithContext(ctx)
				g.SetLimit(limit)
				for i, v := range items {
					g.Go(func() (err error) {
						results[i], err = fn(ctx, v)
						return err
					})
				}
				return results, g.Wait()
			}
		}},
		{"ants", func(_ *bed, limit int) mapper { return antsMapper(limit) }},
		// The workers of a pool that has nothing to do end by themselves.
		{"pond", func(_ *bed, limit int) mapper {
			pool := pond.NewResultPool[int](limit)
			return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
				g := pool.NewGroupContext(ctx)
				defer g.Stop() // or ctx would keep it, with all its results, for as long as it lives
				for _, v := range items {
					g.SubmitErr(func() (int, error) { return fn(ctx, v) })
				}
				return g.Wait()
			}
		}},
	}
}

// antsMapper makes a pool for each call, which then is one of its pools with a function: those take an item without a closure for it.
func antsMapper(limit int) mapper {
	return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
		results := make([]int, len(items))
		ctx, first := watch(ctx)
		defer first.cancel()
		var wg sync.WaitGroup
		pool, err := ants.NewPoolWithFuncGeneric(limit, func(i int) {
			defer wg.Done()
			v, err := fn(ctx, items[i])
			results[i] = v
			first.note(err)
		})
		if err != nil {
			return nil, err
		}
		defer pool.Release()
		for i := range items {
			if ctx.Err() != nil {
				break
			}
			wg.Add(1)
			if err := pool.Invoke(i); err != nil {
				wg.Done()
				first.note(err)
			}
		}
		wg.Wait()
		return results, first.result()
	}
}

// byHandIndex is the fastest that one writes without a library: goroutines that take the next item by an atomic counter.
func byHandIndex(limit int) mapper {
	return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
		results := make([]int, len(items))
		ctx, first := watch(ctx)
		defer first.cancel()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range min(limit, len(items)) {
			wg.Go(func() {
				for ctx.Err() == nil {
					i := int(next.Add(1)) - 1
					if i >= len(items) {
						return
					}
					v, err := fn(ctx, items[i])
					if err != nil {
						first.note(err)
						return
					}
					results[i] = v
				}
			})
		}
		wg.Wait()
		return results, first.result()
	}
}

// byHandWorkers is what one usually writes: workers, and a channel that they take the items from.
func byHandWorkers(limit int) mapper {
	return func(ctx context.Context, items []int, fn func(context.Context, int) (int, error)) ([]int, error) {
		results := make([]int, len(items))
		ctx, first := watch(ctx)
		defer first.cancel()
		indices := make(chan int)
		var wg sync.WaitGroup
		for range min(limit, len(items)) {
			wg.Go(func() {
				for i := range indices {
					v, err := fn(ctx, items[i])
					results[i] = v
					first.note(err)
				}
			})
		}
		for i := range items {
			select {
			case indices <- i:
				continue
			case <-ctx.Done():
			}
			break
		}
		close(indices)
		wg.Wait()
		return results, first.result()
	}
}

// maps is a loop whose items are mapped so many at once, and have to come back as their own results.
func maps(size int) func(mapper) loop {
	return func(do mapper) loop {
		items := make([]int, size)
		for i := range items {
			items[i] = i
		}
		return func(ctx context.Context, n int) error {
			for ; n > 0; n -= size {
				part := items[:min(n, size)]
				results, err := do(ctx, part, successor)
				if err != nil {
					return errFailed
				}
				if len(results) != len(part) {
					return errAnother
				}
				for i, v := range results {
					if v != part[i]+1 {
						return errAnother
					}
				}
			}
			return nil
		}
	}
}

func successor(_ context.Context, v int) (int, error) { return v + 1, nil }

// checkMaps returns an error unless every item is mapped once, its result is in its place, failures are passed on, and the limit is kept.
func checkMaps(build func(limit int) mapper) error {
	for _, limit := range []int{1, 3, mapLimit} {
		do := build(limit)
		for _, n := range []int{0, 1, 1000} {
			if err := mapsEach(do, n); err != nil {
				return fmt.Errorf("limit %d: %d items: %w", limit, n, err)
			}
		}
		run := func(ctx context.Context, n int, task func(context.Context, int) error) error {
			items := make([]int, n)
			for i := range items {
				items[i] = i
			}
			_, err := do(ctx, items, func(ctx context.Context, i int) (int, error) { return i, task(ctx, i) })
			return err
		}
		if err := passesOn(run); err != nil {
			return fmt.Errorf("limit %d: %w", limit, err)
		}
		if err := gathers(run, 3*limit, limit); err != nil {
			return fmt.Errorf("limit %d: %w", limit, err)
		}
	}
	return nil
}

// mapsEach returns an error unless do maps n items, each once.
func mapsEach(do mapper, n int) error {
	ctx, cancel := patient()
	defer cancel()
	items := make([]int, n)
	for i := range items {
		items[i] = 7 * i // no result is right by chance, nor an index taken for an item
	}
	runs := make([]atomic.Int64, 7*n)
	results, err := do(ctx, items, func(_ context.Context, v int) (int, error) {
		runs[v].Add(1)
		return v + 1, nil
	})
	if err != nil {
		return err
	}
	if len(results) != n {
		return fmt.Errorf("returned %d results", len(results))
	}
	for i, v := range results {
		if once := runs[7*i].Load(); once != 1 || v != 7*i+1 {
			return fmt.Errorf("item %d was mapped %d times and became %d, want once and %d", 7*i, once, v, 7*i+1)
		}
	}
	return nil
}
