package mettle_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// polite returns a function whose nth run, from 0, takes durations[n] and returns n, unless it is canceled.
func polite(durations []time.Duration) func(context.Context) (int, error) {
	var started atomic.Int64
	return func(ctx context.Context) (int, error) {
		n := int(started.Add(1)) - 1
		select {
		case <-time.After(durations[n]):
			return n, nil
		case <-ctx.Done():
			return -1, ctx.Err()
		}
	}
}

// stubborn is polite without the manners: its runs end all, and succeed.
func stubborn(durations []time.Duration) func(context.Context) (int, error) {
	var started atomic.Int64
	return func(context.Context) (int, error) {
		n := int(started.Add(1)) - 1
		time.Sleep(durations[n])
		return n, nil
	}
}

func fastest(durations []time.Duration) int { return slices.Index(durations, slices.Min(durations)) }

// shuffled returns n different durations in random order.
func shuffled(n int) []time.Duration {
	ds := make([]time.Duration, n)
	for i, j := range rand.Perm(n) {
		ds[i] = time.Duration(j+1) * time.Second
	}
	return ds
}

func TestWinnersValueIsKeptAndNoOthers(t *testing.T) {
	for n := 1; n <= 8; n++ {
		synctest.Test(t, func(t *testing.T) {
			ds := shuffled(n)
			v, err := mettle.Call(t.Context(), rivals(n), stubborn(ds))
			if err != nil || v != fastest(ds) {
				t.Errorf("of runs that take %v: %d, %v, want %d", ds, v, err, fastest(ds))
			}
		})
	}
}

func TestWinnersValueThroughAnyStack(t *testing.T) {
	quick := retry.New(retry.Config{Backoff: retry.Constant(0)})
	hour := timeout.After(time.Hour)
	for name, stack := range map[string][]mettle.Policy{
		"hedge":                           {rivals(4)},
		"forks in forks":                  {rivals(2), rivals(2)},
		"three deep":                      {rivals(2), pass, rivals(2), pass, rivals(2)},
		"retry inside":                    {rivals(4), quick},
		"retry inside hedge inside retry": {quick, rivals(4), quick, hour},
		"detached above":                  {detach, rivals(4)},
		"gates around":                    {&gate{}, rivals(4), hour},
	} {
		runs := 1
		for _, p := range stack {
			if h, ok := p.(rivals); ok {
				runs *= int(h)
			}
		}
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				ds := shuffled(runs)
				v, err := mettle.Call(t.Context(), mettle.Compose(stack...), polite(ds))
				if err != nil || v != fastest(ds) {
					t.Errorf("%s: of runs that take %v: %d, %v, want %d", name, ds, v, err, fastest(ds))
				}
			})
		}
	}
}

// Below a policy that hands on a context of its own nobody hears of cancellation, so each pair waits for its
// slower run; the value is that of the faster run of the pair that is done first.
func TestWinnersValueBelowADetachedContext(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			ds := shuffled(4) // pair p takes the durations 2p and 2p+1
			firstDone := 0
			if max(ds[0], ds[1]) > max(ds[2], ds[3]) {
				firstDone = 2
			}
			want := firstDone + fastest(ds[firstDone:firstDone+2])
			var pairs atomic.Int64
			v, err := mettle.Call(t.Context(), rivals(2), func(ctx context.Context) (int, error) {
				pair := 2 * int(pairs.Add(1)-1)
				n, err := mettle.Call(ctx, mettle.Compose(detach, rivals(2), detach), stubborn(ds[pair:pair+2]))
				return pair + n, err
			})
			if err != nil || v != want {
				t.Errorf("of pairs that take %v: %d, %v, want %d", ds, v, err, want)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			fn := func(context.Context) (int, error) { return 7, nil }
			v, err := mettle.Call(t.Context(), mettle.Compose(detach, rivals(2), detach, rivals(2), detach), fn)
			if v != 7 || err != nil {
				t.Errorf("%d, %v, want 7", v, err)
			}
		})
	}
}

// A policy that uses another by hand forks twice around one capture.
func TestForksOfAPolicyWithinAPolicy(t *testing.T) {
	both := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		return rivals(3).Do(ctx, func(ctx context.Context) error { return rivals(2).Do(ctx, fn) })
	})
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			ds := shuffled(6)
			v, err := mettle.Call(t.Context(), both, polite(ds))
			if err != nil || v != fastest(ds) {
				t.Errorf("of runs that take %v: %d, %v, want %d", ds, v, err, fastest(ds))
			}
		})
	}
}

// Each run of the outer hedge makes a Call of its own, through a hedge too. The inner Calls' values belong to
// their run and must be there at once, kept or not.
func TestNestedCallInsideOverlappingRunsKeepsItsValue(t *testing.T) {
	for _, inner := range []mettle.Policy{pass, rivals(2), mettle.Compose(rivals(2), pass), mettle.Compose(pass, rivals(2)), detach} {
		synctest.Test(t, func(t *testing.T) {
			var started atomic.Int64
			v, err := mettle.Call(t.Context(), rivals(3), func(ctx context.Context) (int, error) {
				n := int(started.Add(1))
				within, err := mettle.Call(ctx, inner, func(context.Context) (int, error) {
					time.Sleep(time.Duration(4-n) * time.Second)
					return 10 * n, nil
				})
				if err != nil || within != 10*n {
					t.Errorf("run %d: its own Call returned %d, %v, want %d", n, within, err, 10*n)
				}
				return within + 1, err
			})
			if err != nil || v != 31 {
				t.Errorf("%d, %v, want 31: the third run is the fastest", v, err)
			}
		})
	}
}

// Sixty-four callers, each with overlapping runs of which some fail, through stacks of every depth.
func TestOverlappingRunsOfManyCallers(t *testing.T) {
	stacks := []mettle.Policy{
		rivals(3),
		mettle.Compose(retry.New(retry.Config{Attempts: 5, Backoff: retry.Constant(0)}), rivals(2), pass),
		mettle.Compose(rivals(2), retry.New(retry.Config{Backoff: retry.Constant(0)}), rivals(2), timeout.After(time.Minute)),
	}
	type result struct{ caller, run int64 }
	var wg sync.WaitGroup
	for caller := range int64(64) {
		wg.Go(func() {
			for range 25 {
				var runs, succeeded atomic.Int64
				v, err := mettle.Call(context.Background(), stacks[caller%3], func(context.Context) (result, error) {
					run := runs.Add(1)
					if run%3 == 1 {
						return result{-1, -1}, errDown
					}
					succeeded.Add(1)
					return result{caller, run}, nil
				})
				switch {
				case err != nil && !errors.Is(err, errDown):
					t.Errorf("caller %d: %v", caller, err)
				case err != nil && v != (result{}):
					t.Errorf("caller %d: value %v beside the error %v", caller, v, err)
				case err == nil && (v.caller != caller || v.run%3 == 1 || v.run < 1 || v.run > runs.Load()):
					t.Errorf("caller %d: %+v", caller, v)
				case err != nil && succeeded.Load() > 0:
					t.Errorf("caller %d: %v although %d runs succeeded", caller, err, succeeded.Load())
				}
			}
		})
	}
	wg.Wait()
}
