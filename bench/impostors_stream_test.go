package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
)

func streamImpostors() []impostor {
	type function = func(context.Context, int) (int, error)
	changed := func(change func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error) func() error {
		return func() error {
			return checkStreams(func(limit int) streamer {
				do := byHandStream(limit)
				return func(ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
					return change(do, ctx, seq, fn, each)
				}
			})
		}
	}
	limits := func(limit func(int) int) func() error {
		return func() error { return checkStreams(func(n int) streamer { return byHandStream(limit(n)) }) }
	}
	return []impostor{
		{"stream: leaves the first item out", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			return do(ctx, func(yield func(int) bool) {
				for v := range seq {
					if v > 0 && !yield(v) {
						return
					}
				}
			}, fn, each)
		})},
		{"stream: calls twice", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			return do(ctx, seq, func(ctx context.Context, v int) (int, error) { fn(ctx, v); return fn(ctx, v) }, each)
		})},
		{"stream: drops a result", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			return do(ctx, seq, fn, func(v int) {
				if v != 2 {
					each(v)
				}
			})
		})},
		{"stream: swallows the error", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			do(ctx, seq, fn, each)
			return nil
		})},
		{"stream: loses the context", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			return do(ctx, seq, func(_ context.Context, v int) (int, error) { return fn(t0, v) }, each)
		})},
		{"stream: takes all first", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			return do(ctx, slices.Values(slices.Collect(seq)), fn, each)
		})},
		{"stream: goes on after a failure", changed(func(do streamer, ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
			var failure error
			err := do(ctx, seq, func(ctx context.Context, v int) (int, error) {
				r, err := fn(ctx, v)
				if err != nil {
					failure = err
				}
				return r, nil
			}, each)
			return errors.Join(err, failure)
		})},
		{"inOrder: backwards", func() error {
			return inOrder(func(ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
				var all []int
				err := byHandStream(2)(ctx, seq, fn, func(v int) { all = append(all, v) })
				for _, v := range slices.Backward(all) {
					each(v)
				}
				return err
			})
		}},
		{"inOrder: swallows the error", func() error {
			return inOrder(func(ctx context.Context, seq iter.Seq[int], fn function, each func(int)) error {
				byHandStream(2)(ctx, seq, fn, each)
				return nil
			})
		}},
		{"stream: one too many at a time", limits(func(n int) int { return n + 1 })},
		{"stream: one too few at a time", limits(func(n int) int { return max(1, n-1) })},
	}
}

func TestChecksCatchStreamImpostors(t *testing.T) {
	for _, i := range streamImpostors() {
		t.Run(i.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if err := i.check(); err == nil {
					t.Error("the check found nothing wrong")
				}
			})
		})
	}
}

func TestLoopsOfStreamsNoticeWhatGoesWrong(t *testing.T) {
	from := func(seq iter.Seq[int], err error) streamer {
		return func(_ context.Context, _ iter.Seq[int], _ func(context.Context, int) (int, error), each func(int)) error {
			for v := range seq {
				each(v)
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		do   streamer
		want error
	}{
		"all":            {byHandStream(2), nil},
		"a failure":      {from(upTo(0), errDown), errFailed},
		"too few":        {from(slices.Values([]int{1, 2, 3}), nil), errAnother},
		"another result": {from(slices.Values([]int{1, 3, 2, 4}), nil), errAnother},
	} {
		if err := streams(4)(c.do)(t.Context(), 8); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: the loop returned %v, want %v", name, err, c.want)
		}
	}
}
