package group_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// badStreams are Stream with one fault each.
var badStreams = map[string]streamer{
	"one more at a time": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		cfg.Limit++
		return group.Stream(ctx, seq, cfg, fn)
	},
	"one failure more": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		if cfg.MaxFailures > 0 {
			cfg.MaxFailures++
		}
		return group.Stream(ctx, seq, cfg, fn)
	},
	"always ordered": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		cfg.Unordered = false
		return group.Stream(ctx, seq, cfg, fn)
	},
	"never ordered": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		cfg.Unordered = true
		return group.Stream(ctx, seq, cfg, fn)
	},
	"one item further ahead": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return group.Stream(ctx, func(yield func(int) bool) {
			held := -1
			for v := range seq {
				if held >= 0 && !yield(held) {
					return
				}
				held = v
			}
			if held >= 0 {
				yield(held)
			}
		}, cfg, fn)
	},
	"no last pair": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return func(yield func(int, error) bool) {
			for v, err := range group.Stream(ctx, seq, cfg, fn) {
				if _, ok := err.(*group.Error); ok || !yield(v, err) {
					return
				}
			}
		}
	},
	"what was not started is not yielded": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return func(yield func(int, error) bool) {
			for v, err := range group.Stream(ctx, seq, cfg, fn) {
				if !errors.Is(err, group.ErrNotStarted) && !yield(v, err) {
					return
				}
			}
		}
	},
	"the last before the failure is not yielded": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return func(yield func(int, error) bool) {
			for v, err := range group.Stream(ctx, seq, cfg, fn) {
				if err != nil {
					yield(v, err)
					return
				}
				if !yield(v, err) {
					return
				}
			}
		}
	},
	"a break does not wait": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return func(yield func(int, error) bool) {
			next, stop := iter.Pull2(group.Stream(ctx, seq, cfg, fn))
			defer func() { go stop() }()
			for v, err, ok := next(); ok && yield(v, err); v, err, ok = next() {
			}
		}
	},
	"a break does not cancel": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return group.Stream(ctx, seq, cfg, func(inner context.Context, k int) (int, error) {
			kept, cancel := context.WithCancelCause(context.WithoutCancel(inner))
			defer cancel(nil)
			defer context.AfterFunc(inner, func() {
				if cause := context.Cause(inner); cause.Error() != "group: the loop over the stream ended" {
					cancel(cause)
				}
			})()
			return fn(kept, k)
		})
	},
	"a panic is a failure": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return group.Stream(ctx, seq, cfg, func(ctx context.Context, k int) (_ int, err error) {
			defer func() {
				if r := recover(); r != nil {
					err = errBoom
				}
			}()
			return fn(ctx, k)
		})
	},
	"a cancellation is a failure": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return group.Stream(ctx, seq, cfg, func(ctx context.Context, k int) (int, error) {
			v, err := fn(ctx, k)
			if err != nil && ctx.Err() != nil {
				err = errBoom
			}
			return v, err
		})
	},
	"deaf to its context": func(ctx context.Context, seq ints, cfg group.Config, fn call) pairs {
		return group.Stream(context.WithoutCancel(ctx), seq, cfg, fn)
	},
}

func TestTheModelFindsBadStreams(t *testing.T) {
	for name, stream := range badStreams {
		found := false
		for seed := uint64(0); seed < 1000 && !found; seed++ {
			synctest.Test(t, func(*testing.T) {
				found = randomRanging(seed).check(stream) != nil
				time.Sleep(24 * time.Hour) // a bad one may have left something running
			})
		}
		if !found {
			t.Errorf("%s: not found", name)
		}
	}
}
