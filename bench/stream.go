package main

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/sourcegraph/conc/stream"

	"github.com/mettle-go/mettle/group"
)

// A streamer calls fn for each item of seq, several at a time, and then each for its result, one by one and in the order of seq, up to the
// first that failed, whose error it returns.
type streamer func(ctx context.Context, seq iter.Seq[int], fn func(context.Context, int) (int, error), each func(int)) error

const streamed = 100_000 // items of one stream

func streamRows() []row {
	cs := contenders(streamers(), mapLimit, streams(streamed), checkStreams)
	for i := range cs {
		cs[i].pools = cs[i].name == "conc stream"
	}
	return []row{{"stream", "an item of 100,000 in a sequence, 64 at a time, results in order", cs}}
}

// streamers call their function for limit items at a time.
func streamers() []rival[int, streamer] {
	return []rival[int, streamer]{
		{"mettle", func(_ *bed, limit int) streamer {
			return func(ctx context.Context, seq iter.Seq[int], fn func(context.Context, int) (int, error), each func(int)) error {
				for v, err := range group.Stream(ctx, seq, group.Config{Limit: limit}, fn) {
					if err != nil {
						return err
					}
					each(v)
				}
				return nil
			}
		}},
		{"by hand", func(_ *bed, limit int) streamer { return byHandStream(limit) }},
		{"conc stream", func(_ *bed, limit int) streamer {
			return func(ctx context.Context, seq iter.Seq[int], fn func(context.Context, int) (int, error), each func(int)) error {
				ctx, first := watch(ctx)
				defer first.cancel()
				s := stream.New().WithMaxGoroutines(limit)
				failed := false // callbacks run one after the other
				for v := range seq {
					if ctx.Err() != nil {
						break
					}
					s.Go(func() stream.Callback {
						r, err := fn(ctx, v)
						return func() {
							if failed = failed || err != nil; failed {
								first.note(err)
								return
							}
							each(r)
						}
					})
				}
				s.Wait()
				return first.result()
			}
		}},
	}
}

// byHandStream is what one writes without a library: a goroutine and a channel for each item, and a channel of these that bounds how many there are.
func byHandStream(limit int) streamer {
	type outcome struct {
		v   int
		err error
	}
	return func(ctx context.Context, seq iter.Seq[int], fn func(context.Context, int) (int, error), each func(int)) error {
		parent := ctx
		ctx, cancel := context.WithCancel(ctx)
		pending := make(chan chan outcome, limit-1) // one more is waited for below
		defer func() {
			cancel()
			for c := range pending {
				<-c
			}
		}()
		go func() {
			defer close(pending)
			for v := range seq {
				c := make(chan outcome, 1)
				select {
				case pending <- c:
				case <-ctx.Done():
					return
				}
				go func() {
					v, err := fn(ctx, v)
					c <- outcome{v, err}
				}()
			}
		}()
		for c := range pending {
			o := <-c
			if o.err != nil {
				return o.err
			}
			each(o.v)
		}
		return parent.Err()
	}
}

// upTo is a sequence of the numbers below n.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// streams is a loop whose items come so many in a sequence, and have to come out as their own results in their order.
func streams(size int) func(streamer) loop {
	return func(do streamer) loop {
		return func(ctx context.Context, n int) error {
			for ; n > 0; n -= size {
				k, want, wrong := min(n, size), 0, false
				err := do(ctx, upTo(k), successor, func(v int) {
					want++
					wrong = wrong || v != want
				})
				if err != nil {
					return errFailed
				}
				if wrong || want != k {
					return errAnother
				}
			}
			return nil
		}
	}
}

// checkStreams returns an error unless every item is taken, called for and handed out once and in order, failures are passed on, the limit is kept,
// and whoever is slow to take the results holds up the sequence.
func checkStreams(build func(limit int) streamer) error {
	for _, limit := range []int{1, 3, mapLimit} {
		do := build(limit)
		ignore := func(int) {}
		run := func(ctx context.Context, n int, task func(context.Context, int) error) error {
			return do(ctx, upTo(n), func(ctx context.Context, i int) (int, error) { return i, task(ctx, i) }, ignore)
		}
		for _, n := range []int{0, 1, 1000} {
			if err := runsEach(run, n); err != nil {
				return fmt.Errorf("limit %d: %d items: %w", limit, n, err)
			}
		}
		for _, check := range []func() error{
			func() error { return passesOn(run) },
			func() error { return gathers(run, 3*limit, limit) },
			func() error { return inOrder(do) },
			func() error { return holdsUp(do, limit) },
		} {
			if err := check(); err != nil {
				return fmt.Errorf("limit %d: %w", limit, err)
			}
		}
	}
	return nil
}

// inOrder returns an error unless results come in order, though later items end earlier, and none after a failure.
func inOrder(do streamer) error {
	ctx, cancel := patient()
	defer cancel()
	const n, bad = 200, 150
	for _, want := range []error{nil, errDown} {
		var got []int
		err := do(ctx, upTo(n), func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Duration(-i&7) * 10 * time.Microsecond)
			if i == bad {
				return 0, want
			}
			return 2 * i, nil
		}, func(v int) { got = append(got, v) })
		all := n
		if want != nil {
			all = bad
		}
		if len(got) != all || (err == nil) != (want == nil) {
			return fmt.Errorf("handed %d results out and returned %v, want %d and %v", len(got), err, all, want)
		}
		for i, v := range got {
			if v != 2*i && i != bad {
				return fmt.Errorf("result %d is %d, want %d", i, v, 2*i)
			}
		}
	}
	return nil
}

// holdsUp returns an error unless a loop that stands still stops the sequence before long.
func holdsUp(do streamer, limit int) error {
	ctx, cancel := patient()
	defer cancel()
	n := 100 * limit
	var taken, seen atomic.Int64
	err := do(ctx, func(yield func(int) bool) {
		for i := range upTo(n) {
			taken.Add(1)
			if !yield(i) {
				return
			}
		}
	}, successor, func(v int) {
		if v == 1 {
			time.Sleep(5 * time.Millisecond) // for the sequence to go on, if it does
			seen.Store(taken.Load())
		}
	})
	if err != nil || seen.Load() > int64(10*limit) {
		return fmt.Errorf("%d of %d items were taken while the first was not done with, error %v", seen.Load(), n, err)
	}
	return nil
}
