package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/queue"
)

// A conduit is a bounded queue. Both functions wait, and give up when ctx ends.
type conduit struct {
	put func(ctx context.Context, v int) error
	get func(ctx context.Context) (int, error)
}

const (
	capacity  = 1024
	producers = 4 // and as many consumers, where there are several
)

var errGone = errors.New("an item was lost or came twice")

func queueRows() []row {
	several := fmt.Sprintf("an item through a queue of %d, %d producers and %[2]d consumers", capacity, producers)
	return []row{
		{"queue/one", fmt.Sprintf("an item through a queue of %d, one producer and one consumer", capacity), through(1)},
		{"queue/several", several, through(producers)},
	}
}

// through are the contenders of a row. A channel without a select cannot be given up, and is there for what that costs.
func through(crowd int) []contender {
	plain := []rival[int, conduit]{{"channel, without a context", func(_ *bed, size int) conduit {
		ch := make(chan int, size)
		return conduit{
			put: func(_ context.Context, v int) error { ch <- v; return nil },
			get: func(context.Context) (int, error) { return <-ch, nil },
		}
	}}}
	return append(
		contenders(conduits(), capacity, exchanges(crowd), checkConduit),
		contenders(plain, capacity, exchanges(crowd), checkOrder)...,
	)
}

// conduits hold up to size items.
func conduits() []rival[int, conduit] {
	return []rival[int, conduit]{
		{"mettle", func(_ *bed, size int) conduit {
			q := queue.New[int](size)
			return conduit{q.Put, q.Get}
		}},
		{"channel, select with the context", func(_ *bed, size int) conduit {
			ch := make(chan int, size)
			return conduit{
				put: func(ctx context.Context, v int) error {
					select {
					case ch <- v:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				},
				get: func(ctx context.Context) (int, error) {
					select {
					case v := <-ch:
						return v, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				},
			}
		}},
	}
}

// exchanges is a loop whose items go from so many producers to as many consumers, and all have to arrive.
func exchanges(crowd int) func(conduit) loop {
	return func(c conduit) loop {
		return func(ctx context.Context, n int) error {
			ctx, first := watch(ctx)
			defer first.cancel()
			var left atomic.Int64 // the sum of what was put and not got
			var wg sync.WaitGroup
			for i := range crowd {
				share := (n + i) / crowd // together n
				wg.Go(func() {
					sum := 0
					for v := range share {
						if err := c.put(ctx, v+1); err != nil {
							first.note(err)
							return
						}
						sum += v + 1
					}
					left.Add(int64(sum))
				})
				wg.Go(func() {
					sum := 0
					for range share {
						v, err := c.get(ctx)
						if err != nil {
							first.note(err)
							return
						}
						sum += v
					}
					left.Add(int64(-sum))
				})
			}
			wg.Wait()
			if left.Load() != 0 {
				first.note(errGone)
			}
			return first.result()
		}
	}
}

// checkConduit returns an error unless the queue is bounded, whoever waits at it gives up in time and then has done nothing, and it is a
// queue to checkOrder.
func checkConduit(build func(size int) conduit) error {
	for _, size := range []int{1, 3, capacity} {
		c := build(size)
		for range 2 { // empty again, it holds as many
			if err := fillsUp(c, size); err != nil {
				return fmt.Errorf("capacity %d: %w", size, err)
			}
		}
	}
	return checkOrder(build)
}

// fillsUp puts as many items as there is room for, and takes them all.
func fillsUp(c conduit, size int) error {
	ctx, cancel := patient()
	defer cancel()
	for v := range size {
		if err := c.put(ctx, v); err != nil {
			return fmt.Errorf("item %d found no room: %w", v, err)
		}
	}
	if err := givesUp(ctx, func(ctx context.Context) error { return c.put(ctx, -1) }); err != nil {
		return fmt.Errorf("put to a full queue: %w", err)
	}
	for want := range size {
		if v, err := c.get(ctx); err != nil || v != want {
			return fmt.Errorf("got %d and %v, want %d", v, err, want)
		}
	}
	if err := givesUp(ctx, func(ctx context.Context) error { _, err := c.get(ctx); return err }); err != nil {
		return fmt.Errorf("get from an empty queue: %w", err)
	}
	return nil
}

// givesUp returns an error unless wait returns one, and not before its time is up.
func givesUp(ctx context.Context, wait func(context.Context) error) error {
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := wait(short); err == nil {
		return errors.New("succeeded")
	} else if short.Err() == nil {
		return fmt.Errorf("did not wait but returned %w", err)
	}
	return nil
}

// checkOrder returns an error unless all items of all producers arrive once, and those of each in their order.
func checkOrder(build func(size int) conduit) error {
	for _, size := range []int{1, 3, capacity} {
		for _, crowd := range []int{1, producers} {
			if err := arrives(build(size), crowd); err != nil {
				return fmt.Errorf("capacity %d, %d producers: %w", size, crowd, err)
			}
		}
	}
	return nil
}

func arrives(c conduit, crowd int) error {
	const each = 3 * capacity
	ctx, first := watch(context.Background())
	defer first.cancel()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	times := make([]atomic.Int64, crowd*each)
	var wg sync.WaitGroup
	for p := range crowd {
		wg.Go(func() {
			for i := range each {
				first.note(c.put(ctx, p*each+i))
			}
		})
		wg.Go(func() {
			latest := make([]int, crowd) // of each producer, as this consumer sees it
			for range each {
				v, err := c.get(ctx)
				if err != nil {
					first.note(err)
					return
				}
				if v < 0 || v >= len(times) {
					first.note(fmt.Errorf("got %d, which nobody put", v))
					return
				}
				times[v].Add(1)
				if v < latest[v/each] {
					first.note(fmt.Errorf("got %d after %d", v, latest[v/each]))
				}
				latest[v/each] = v
			}
		})
	}
	wg.Wait()
	for v := range times {
		if n := times[v].Load(); n != 1 {
			first.note(fmt.Errorf("item %d arrived %d times", v, n))
		}
	}
	return first.result()
}
