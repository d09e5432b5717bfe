package group_test

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
)

// forever yields 0, 1, 2 and so on.
func forever(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

// lasts returns a call that takes as long as d says, and returns its item.
func lasts(d func(n int) time.Duration) func(context.Context, int) (int, error) {
	return func(_ context.Context, n int) (int, error) {
		time.Sleep(d(n))
		return n, nil
	}
}

func TestStreamOrder(t *testing.T) {
	took := lasts(func(n int) time.Duration { return []time.Duration{5, 1, 2, 4}[n] * time.Second })
	for _, c := range []struct {
		unordered bool
		want      []int
	}{{false, []int{0, 1, 2, 3}}, {true, []int{1, 2, 0, 3}}} {
		synctest.Test(t, func(t *testing.T) {
			var p peak
			fn := func(ctx context.Context, n int) (v int, err error) {
				p.hold(func() { v, err = took(ctx, n) })
				return v, err
			}
			var got []int
			for v, err := range group.Stream(t.Context(), count(4), group.Config{Limit: 2, Unordered: c.unordered}, fn) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v)
			}
			if !slices.Equal(got, c.want) || p.most.Load() != 2 {
				t.Fatalf("unordered %v: %v, %d at a time, want %v, 2", c.unordered, got, p.most.Load(), c.want)
			}
		})
	}
}

func TestStreamIsLazyAndEachRangeIsItsOwn(t *testing.T) {
	runs := 0
	stream := group.Stream(t.Context(), func(yield func(int) bool) {
		runs++
		_ = yield(1) && yield(2)
	}, group.Config{}, double)
	if runs != 0 {
		t.Fatal("seq runs before the range")
	}
	for n := range 3 {
		var got []int
		for v := range stream {
			got = append(got, v)
			if n == 0 {
				for v := range stream { // one within the other
					got = append(got, -v)
				}
			}
		}
		if want := [][]int{{2, -2, -4, 4, -2, -4}, {2, 4}, {2, 4}}[n]; !slices.Equal(got, want) {
			t.Fatalf("range %d: %v, want %v", n, got, want)
		}
	}
	if runs != 5 {
		t.Fatalf("seq ran %d times, want 5", runs)
	}
}

// The exact look-ahead: while the loop is in its body, or waits for a slow item, seq has handed over 2 × Limit items that
// are not yet yielded, and has not been asked for another.
func TestStreamLookAhead(t *testing.T) {
	for _, limit := range []int{0, 1, 2, 3, 8, 100} {
		for _, unordered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				window := int64(2 * limit)
				if limit == 0 {
					window = 16
				}
				var asked, yielded atomic.Int64
				check := func(while string) {
					if ahead := asked.Load() - yielded.Load(); ahead != window {
						t.Errorf("limit %d, unordered %v: %d items ahead while %s, want %d", limit, unordered, ahead, while, window)
					}
				}
				seq := func(yield func(int) bool) {
					for asked.Add(1); yield(int(asked.Load()) - 1); asked.Add(1) {
					}
				}
				fn := func(_ context.Context, n int) (int, error) {
					if n == int(window) && !unordered {
						time.Sleep(time.Second) // and when that is over, all the others have gone as far as they can
						check("the loop waits")
					}
					return n, nil
				}
				for range group.Stream(t.Context(), seq, group.Config{Limit: limit, Unordered: unordered}, fn) {
					yielded.Add(1)
					if yielded.Load()%2 == 0 { // else the loop is quick
						synctest.Wait()
						check("in the body")
					}
					if yielded.Load() == 4*window {
						break
					}
				}
			})
		}
	}
}

// A result does not wait for the next item of a slow seq.
func TestStreamOfSlowSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		seq := func(yield func(int) bool) {
			for i := 0; yield(i) && i < 2; i++ {
				time.Sleep(time.Hour)
			}
		}
		for v, err := range group.Stream(t.Context(), seq, group.Config{}, double) {
			if err != nil || time.Since(begin) != time.Duration(v/2)*time.Hour {
				t.Fatalf("%d, %v after %v", v, err, time.Since(begin))
			}
		}
	})
}

// wantPairs ranges over the stream and checks what it yields but for the last *Error, which it returns.
func wantPairs(t *testing.T, stream iter.Seq2[int, error], want ...any) *group.Error {
	t.Helper()
	i := 0
	var last *group.Error
	for v, err := range stream {
		if last != nil {
			t.Fatalf("%d, %v after the *Error", v, err)
		}
		var all *group.Error
		if errors.As(err, &all) && error(all) == err {
			if last = all; v != 0 {
				t.Fatalf("%d beside the *Error", v)
			}
			continue
		}
		if i == len(want) {
			t.Fatalf("pair %d is %d, %v, want no more", i, v, err)
		}
		if wantErr, ok := want[i].(error); ok {
			item, isItem := err.(*group.ItemError)
			if v != 0 || !isItem || !errors.Is(err, wantErr) {
				t.Fatalf("pair %d is %d, %v, want 0 and a *ItemError with %v", i, v, err, wantErr)
			}
			if item.Index != i {
				t.Fatalf("pair %d is of item %d", i, item.Index)
			}
		} else if v != want[i] || err != nil {
			t.Fatalf("pair %d is %d, %v, want %v", i, v, err, want[i])
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d pairs, want %d", i, len(want))
	}
	return last
}

func TestStreamPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(time.Second), Budget: retry.Unlimited})
		attempts := make([]int, 10)
		i := 0
		for v, err := range group.Stream(t.Context(), count(10), group.Config{Policy: again, Limit: 3, MaxFailures: -1}, func(_ context.Context, n int) (int, error) {
			if attempts[n]++; attempts[n] <= n%5 {
				return -1, errBoom
			}
			return n, nil
		}) {
			exhausted, gaveUp := errors.AsType[*retry.ExhaustedError](err)
			if gaveUp != (i%5 > 2) || gaveUp && (len(exhausted.Attempts) != 3 || v != 0) || !gaveUp && (v != i || err != nil) {
				t.Fatalf("item %d: %d, %v", i, v, err)
			}
			i++
		}
	})
}

// The last error is ErrRejected exactly if nothing of the caller's has had a part in it.
func TestStreamRejections(t *testing.T) {
	fail := func(context.Context, int) (int, error) { return 0, errBoom }
	called := make(chan struct{}, 100)
	for name, c := range map[string]struct {
		let  bool // the first call through
		fn   func(context.Context, int) (int, error)
		seq  iter.Seq[int]
		none bool
	}{
		"all":            {false, double, forever, true},
		"a success":      {true, double, forever, false},
		"a failure":      {true, fail, forever, false},
		"seq that fails": {false, double, func(yield func(int) bool) { yield(0); <-called; panicsAt() }, false},
	} {
		let, n := c.let, 0
		for len(called) > 0 {
			<-called
		}
		door := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
			called <- struct{}{}
			if n++; let && n == 1 {
				return fn(ctx)
			}
			return mettle.Reject("door", "", errBoom, nil)
		})
		var last error
		for _, err := range group.Stream(t.Context(), c.seq, group.Config{Policy: door, Limit: 1, MaxFailures: 2}, c.fn) {
			last = err
		}
		e, ok := last.(*group.Error)
		if !ok || errors.Is(e, mettle.ErrRejected) != c.none || !errors.Is(e, errBoom) {
			t.Errorf("%s: %v: is it ErrRejected? want %v", name, last, c.none)
		}
	}
}

func TestStreamOfNothing(t *testing.T) {
	wantPairs(t, group.Stream(t.Context(), count(0), group.Config{}, double))
}

func TestStreamErrorHasNoItems(t *testing.T) {
	last := wantPairs(t, group.Stream(t.Context(), count(1), group.Config{}, func(context.Context, int) (int, error) { return 0, errBoom }), errBoom)
	matched, rest := last.Split(func(err error) bool { return errors.Is(err, errBoom) })
	if matched != last || rest != nil {
		t.Fatalf("split into %v and %v", matched, rest)
	}
	defer func() {
		if got, want := recover(), "group: Error.Item of 0, want an index into 0 items"; got != want {
			t.Fatalf("panics with %v, want %q", got, want)
		}
	}()
	_ = last.Item(0)
}

func TestStreamMisuse(t *testing.T) {
	never := func(context.Context, int) (int, error) { t.Error("called"); return 0, nil }
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { group.Stream(t.Context(), forever, group.Config{Limit: -1}, never) }, "group: Config.Limit is -1, want 0 or more"},
		{func() { group.Stream(t.Context(), nil, group.Config{}, never) }, "group: Stream: seq is nil, want a sequence"},
		{func() { group.Stream[int, int](t.Context(), forever, group.Config{}, nil) }, "group: Stream: fn is nil, want a function"},
	} {
		func() {
			defer func() {
				if got := recover(); got != c.want {
					t.Errorf("panics with %v, want %q", got, c.want)
				}
			}()
			c.do()
		}()
	}
}

// A limit for which twice as many items are too many is not.
func TestStreamOfHugeLimit(t *testing.T) {
	i := 0
	for v, err := range group.Stream(t.Context(), count(1000), group.Config{Limit: int(^uint(0) >> 1)}, double) {
		if v != 2*i || err != nil {
			t.Fatalf("%d, %v, want %d", v, err, 2*i)
		}
		i++
	}
	if i != 1000 {
		t.Fatalf("%d pairs", i)
	}
}

// Progress hears of all that ended, also if the loop does not go on to the end.
func TestStreamProgress(t *testing.T) {
	for name, c := range map[string]struct {
		breakAt int
		want    [][2]int // done and failed
	}{
		"through": {-1, [][2]int{{1, 0}, {2, 1}, {3, 2}, {3, 2}}},
		"break":   {1, [][2]int{{1, 0}, {2, 1}, {3, 1}}},
	} {
		synctest.Test(t, func(t *testing.T) {
			var got [][2]int
			cfg := group.Config{Limit: 1, MaxFailures: -1, Progress: func(p group.Progress) {
				if p.Total != 0 {
					t.Errorf("a total of %d", p.Total)
				}
				got = append(got, [2]int{p.Done, p.Failed})
			}}
			fn := func(ctx context.Context, n int) (int, error) {
				select {
				case <-time.After(time.Second):
					return n, []error{nil, errBoom, errBoom}[n]
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			}
			i := 0
			for range group.Stream(t.Context(), count(3), cfg, fn) {
				if i == c.breakAt {
					break
				}
				i++
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		})
	}
}

// What does not return is in the last report as well: an item that panics or exits, and a seq.
func TestStreamProgressOfWhatDoesNotReturn(t *testing.T) {
	var last group.Progress
	cfg := group.Config{Limit: 1, MaxFailures: -1, Progress: func(p group.Progress) { last = p }}
	called := make(chan struct{})
	seq := func(yield func(int) bool) {
		if yield(0) {
			<-called
			panicsAt()
		}
	}
	for name, c := range map[string]struct {
		seq          iter.Seq[int]
		items        []func()
		done, failed int
	}{
		"items": {count(3), []func(){func() {}, runtime.Goexit, panicsAt}, 3, 2},
		"seq":   {seq, []func(){func() { close(called) }}, 2, 1},
	} {
		for range group.Stream(t.Context(), c.seq, cfg, func(_ context.Context, n int) (int, error) { c.items[n](); return 0, nil }) {
			continue
		}
		if last.Done != c.done || last.Failed != c.failed {
			t.Errorf("%s: %d done, %d failed, want %d, %d", name, last.Done, last.Failed, c.done, c.failed)
		}
	}
}
