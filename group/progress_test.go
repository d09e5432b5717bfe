package group_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

func sleepFor(d time.Duration) func(context.Context) error {
	return func(context.Context) error { time.Sleep(d); return nil }
}

func TestProgressTellsEachField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []group.Progress
		cfg := group.Config{Limit: 2, MaxFailures: -1, Progress: func(p group.Progress) { got = append(got, p) }}
		items := []int{1, 2, 3, 4, 5, 6}
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		_, err := group.Map(ctx, items, cfg, func(ctx context.Context, n int) (int, error) {
			// Each takes n-1 s; 1 and 4 fail. So 1 ends at 0 s, 2 at 1 s, 3 at 2 s, 4 at 4 s; the others are canceled at
			// 4.5 s, and 6 takes its time.
			select {
			case <-time.After(time.Duration(n-1) * time.Second):
			case <-ctx.Done():
				time.Sleep(time.Duration(n-5) * time.Second / 2)
				return 0, ctx.Err()
			}
			if n == 1 || n == 4 {
				return 0, errBoom
			}
			return n, nil
		})
		wantCounts(t, err, 2, 2, 2, 0)
		want := []group.Progress{ // none at 0 s: it would say nothing
			{Done: 2, Failed: 1, Total: 6, Elapsed: time.Second, Rate: 2, Left: 2 * time.Second},
			{Done: 3, Failed: 1, Total: 6, Elapsed: 2 * time.Second, Rate: 1.5, Left: 2 * time.Second},
			{Done: 4, Failed: 2, Total: 6, Elapsed: 4 * time.Second, Rate: 1, Left: 2 * time.Second},
			{Done: 5, Failed: 2, Total: 6, Elapsed: 4500 * time.Millisecond, Rate: 5 / 4.5, Left: 900 * time.Millisecond},
			{Done: 6, Failed: 2, Total: 6, Elapsed: 5 * time.Second, Rate: 1.2},
			{Done: 6, Failed: 2, Total: 6, Elapsed: 5 * time.Second, Rate: 1.2},
		}
		if !slices.Equal(got, want) {
			t.Errorf("reports are\n%+v, want\n%+v", got, want)
		}
	})
}

func TestProgressOfARunKnowsNoTotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []group.Progress
		cfg := group.Config{Progress: func(p group.Progress) { got = append(got, p) }}
		err := group.RunWith(t.Context(), cfg, func(g *group.Group) error {
			g.Go(sleepFor(time.Second))
			g.Go(untilCanceled)
			g.Go(func(context.Context) error { time.Sleep(2 * time.Second); return errBoom })
			<-g.Context().Done()
			g.Go(succeed) // never started
			return nil
		})
		wantCounts(t, err, 1, 1, 1, 1)
		want := []group.Progress{
			{Done: 1, Elapsed: time.Second, Rate: 1},
			{Done: 2, Failed: 1, Elapsed: 2 * time.Second, Rate: 1},
			{Done: 3, Failed: 1, Elapsed: 2 * time.Second, Rate: 1.5},
		}
		if !slices.Equal(got, want) {
			t.Errorf("reports are\n%+v, want\n%+v", got, want)
		}
		got = nil
		_ = group.RunWith(t.Context(), cfg, func(*group.Group) error { return errBoom })
		if want := []group.Progress{{Done: 1, Failed: 1}}; !slices.Equal(got, want) {
			t.Errorf("of a body's failure the reports are %+v, want %+v", got, want)
		}
		got = nil
		_ = group.RunWith(t.Context(), cfg, func(*group.Group) error { return nil })
		if want := []group.Progress{{}}; !slices.Equal(got, want) {
			t.Errorf("of no task the reports are %+v, want %+v", got, want)
		}
	})
}

func TestProgressOfSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last group.Progress
		n := 0
		cfg := group.Config{Limit: 1, Progress: func(p group.Progress) { last = p; n++ }}
		group.Settle(t.Context(), []func(context.Context) error{succeed, fail, exit, func(context.Context) error { panic(errBoom) }}, cfg,
			func(ctx context.Context, fn func(context.Context) error) (int, error) { return 0, fn(ctx) })
		if want := (group.Progress{Done: 4, Failed: 3, Total: 4}); last != want || n != 1 {
			t.Errorf("%d reports, the last is %+v, want one, %+v", n, last, want)
		}
	})
}

func TestProgressIsToldSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		cfg := group.Config{Limit: 3, Progress: func(group.Progress) { at = append(at, time.Since(begin)) }}
		_, err := group.Map(t.Context(), upTo(1000), cfg, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(7+n%5) * time.Millisecond)
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		total := time.Since(begin)
		for i, prev := range at[:len(at)-1] {
			if now := at[i+1]; now-prev < 100*time.Millisecond && i+1 < len(at)-1 {
				t.Fatalf("reports after %v and %v", prev, now)
			}
		}
		if at[len(at)-1] != total || at[0] < 100*time.Millisecond || len(at) < int(total/(112*time.Millisecond)) {
			t.Fatalf("%d reports, first after %v, last after %v of %v", len(at), at[0], at[len(at)-1], total)
		}
	})
}

// The callback takes longer than the interval, while tasks end all the time: they neither enter it nor wait for it.
func TestProgressNeverOverlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var in atomic.Bool
		var reports int
		cfg := group.Config{Limit: 5, Progress: func(group.Progress) {
			if !in.CompareAndSwap(false, true) {
				t.Error("two reports at a time")
			}
			reports++
			time.Sleep(time.Second)
			in.Store(false)
		}}
		_, err := group.Map(t.Context(), upTo(400), cfg, func(_ context.Context, n int) (int, error) {
			time.Sleep(50 * time.Millisecond)
			return 0, nil
		})
		// Four workers at a time get through 80 items a second, beside the one that reports.
		if took := time.Since(begin); err != nil || took > 7*time.Second || reports < 4 {
			t.Errorf("%v, %d reports in %v", err, reports, took)
		}
	})
}

// What ended long ago says nothing of how fast it goes now.
func TestProgressRateIsOfLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []group.Progress
		cfg := group.Config{Limit: 1, Progress: func(p group.Progress) { got = append(got, p) }}
		items := upTo(60 + 1000 + 60)
		_, err := group.Map(t.Context(), items, cfg, func(_ context.Context, n int) (int, error) {
			switch {
			case n <= 60:
				time.Sleep(time.Second)
			case n <= 60+1000:
				time.Sleep(10 * time.Millisecond)
			default:
				time.Sleep(2 * time.Second)
			}
			return 0, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range got[:len(got)-1] {
			var rate float64
			switch {
			case p.Done <= 60:
				rate = 1
			case p.Done > 60+500 && p.Done <= 60+1000:
				rate = 100
			case p.Done > 60+1000+50:
				rate = 0.5
			default:
				continue
			}
			left := time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second))
			if math.Abs(p.Rate-rate) > 1e-9 || (p.Left-left).Abs() > time.Microsecond {
				t.Fatalf("%+v, want a rate of %v and %v left", p, rate, left)
			}
		}
	})
}

// 292 years are all that a Duration holds.
func TestProgressLeftSaturates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first group.Progress
		cfg := group.Config{Limit: 1, Progress: func(p group.Progress) {
			if p.Done == 1 {
				first = p
			}
		}}
		_, _ = group.Map(t.Context(), make([]struct{}, 200_000), cfg, func(context.Context, struct{}) (struct{}, error) {
			if first.Done == 0 {
				time.Sleep(24 * time.Hour)
			}
			return struct{}{}, nil
		})
		if first.Left != math.MaxInt64 {
			t.Errorf("%+v, want the longest time left", first)
		}
	})
}

func TestProgressThatDoesNotReturn(t *testing.T) {
	for name, unwind := range map[string]func(){"panic": func() { panic(errBoom) }, "exit": runtime.Goexit} {
		isIt := func(err error) bool {
			_, panics := errors.AsType[*group.PanicError](err)
			return panics == (name == "panic") && (panics || errors.Is(err, group.ErrGoexit))
		}
		synctest.Test(t, func(t *testing.T) {
			var last group.Progress
			n := 0
			cfg := group.Config{Limit: 1, MaxFailures: -1, Progress: func(p group.Progress) {
				last = p
				if n++; n == 1 {
					unwind()
				}
			}}
			err := group.RunWith(t.Context(), cfg, func(g *group.Group) error { g.Go(sleepFor(time.Second)); return nil })
			if wantCounts(t, err, 0, 1, 0, 0); !isIt(err) || last.Done != 1 || last.Failed != 1 {
				t.Errorf("%s in Run: %v, %+v", name, err, last)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var last group.Progress
		n := 0
		cfg := group.Config{Limit: 1, MaxFailures: -1, Progress: func(p group.Progress) {
			last = p
			switch n++; n {
			case 2:
				runtime.Goexit()
			case 4:
				panic(errBoom)
			}
		}}
		_, err := group.Map(t.Context(), upTo(6), cfg, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Second)
			if n == 3 {
				return 0, errBoom
			}
			return n, nil
		})
		e := wantCounts(t, err, 2, 2, 0, 2)
		_, panics := errors.AsType[*group.PanicError](e.Item(3))
		if !errors.Is(e.Item(1), group.ErrGoexit) || !panics {
			t.Errorf("items ended by %v and %v, want what the reports did", e.Item(1), e.Item(3))
		}
		if last.Done != 4 || last.Failed != 2 || last.Left != 0 {
			t.Errorf("the last report is %+v, want 4 done, 2 failed, and no time left for what is not to be", last)
		}
	})
	wantPanic(t, errBoom, func() {
		cfg := group.Config{Progress: func(group.Progress) { panic(errBoom) }}
		_ = group.RunWith(t.Context(), cfg, func(*group.Group) error { return nil })
	})
}

// The callback runs outside of locks: it may use the scope.
func TestProgressMayCallTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var scope *group.Group
		more := 0
		cfg := group.Config{Limit: 1, Progress: func(p group.Progress) {
			switch p.Done {
			case 1:
				scope.Go(func(context.Context) error { more++; time.Sleep(time.Second); return nil })
			case 2:
				scope.Stop(0)
			}
		}}
		err := group.RunWith(t.Context(), cfg, func(g *group.Group) error {
			scope = g
			g.Go(sleepFor(time.Second))
			return nil
		})
		if err != nil || more != 1 {
			t.Errorf("%v, %d more tasks, want nil, 1", err, more)
		}
	})
}

// An item costs no allocation more where its progress is watched.
func TestProgressAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	items := upTo(10_000)
	cfg := group.Config{Limit: 4, Progress: func(group.Progress) {}}
	if n := testing.AllocsPerRun(10, func() { _, _ = group.Map(t.Context(), items, cfg, double) }); n > 25 {
		t.Errorf("Map of %d items allocates %v times, want at most 25", len(items), n)
	}
}
