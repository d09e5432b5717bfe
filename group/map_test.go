package group_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
)

// upTo returns 0 to n-1.
func upTo(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

func TestMapKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		// Later items end first.
		got, err := group.Map(t.Context(), upTo(100), group.Config{Limit: 100}, func(_ context.Context, n int) (string, error) {
			time.Sleep(time.Duration(100-n) * time.Second)
			return fmt.Sprint(n), nil
		})
		if err != nil || len(got) != 100 || time.Since(begin) != 100*time.Second {
			t.Fatalf("err %v, %d results after %v, want nil, 100, 1m40s", err, len(got), time.Since(begin))
		}
		for i, s := range got {
			if s != fmt.Sprint(i) {
				t.Fatalf("result %d is %s", i, s)
			}
		}
	})
}

func TestMapDefaultLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p peak
		_, err := group.Map(t.Context(), upTo(50), group.Config{}, func(context.Context, int) (int, error) {
			p.hold(func() { time.Sleep(time.Second) })
			return 0, nil
		})
		if err != nil || p.most.Load() != 8 {
			t.Fatalf("err %v, %d at a time, want nil, 8", err, p.most.Load())
		}
	})
}

func TestMapOfNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, items := range [][]int{nil, {}} {
		got, err := group.Map(ctx, items, group.Config{}, double)
		if got == nil || len(got) != 0 || err != nil {
			t.Fatalf("%v, %v, want an empty slice and nil", got, err)
		}
	}
}

func TestMapStartsNothingAfterTheEnd(t *testing.T) {
	gone := errors.New("user left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	got, err := group.Map(ctx, upTo(10), group.Config{MaxFailures: -1}, func(context.Context, int) (int, error) {
		t.Error("an item was started")
		return 1, nil
	})
	e := wantCounts(t, err, 0, 0, 0, 10)
	if !errors.Is(err, gone) || !errors.Is(err, context.Canceled) || e.Cause != gone || !slices.Equal(got, make([]int, 10)) {
		t.Fatalf("%v, %v (cause %v), want ten zeros and what ended the parent", got, err, e.Cause)
	}
	if e.Item(0) != group.ErrNotStarted || e.Item(9) != group.ErrNotStarted {
		t.Fatalf("items say %v, %v, want ErrNotStarted", e.Item(0), e.Item(9))
	}
}

func TestMapTriesAll(t *testing.T) {
	got, err := group.Map(t.Context(), upTo(100), group.Config{MaxFailures: -1, Limit: 7}, func(_ context.Context, n int) (int, error) {
		switch {
		case n%10 == 3:
			return 99, fmt.Errorf("item of %d: %w", n, errBoom) // its value must not show
		case n%10 == 7:
			runtime.Goexit()
		}
		return n, nil
	})
	e := wantCounts(t, err, 80, 20, 0, 0)
	if e.Cause != nil {
		t.Fatalf("cause %v, though nothing was canceled", e.Cause)
	}
	for i := range got {
		want, wantErr := i, error(nil)
		switch i % 10 {
		case 3:
			want, wantErr = 0, errBoom
		case 7:
			want, wantErr = 0, group.ErrGoexit
		}
		if got[i] != want || !errors.Is(e.Item(i), wantErr) {
			t.Fatalf("item %d: %d, %v, want %d, %v", i, got[i], e.Item(i), want, wantErr)
		}
		if item, ok := e.Item(i).(*group.ItemError); wantErr != nil && (!ok || item.Index != i) {
			t.Fatalf("item %d: %#v, want a *ItemError of it", i, e.Item(i))
		}
	}
	for i, err := range e.Failures {
		if want := []int{3, 7}[i%2] + i/2*10; err.(*group.ItemError).Index != want {
			t.Fatalf("Failures[%d] is of item %d, want %d", i, err.(*group.ItemError).Index, want)
		}
	}
}

func TestMapFailuresAreInOrderOfItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := group.Map(t.Context(), upTo(5), group.Config{MaxFailures: -1}, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(5-n) * time.Second)
			return 0, errBoom
		})
		for i, err := range wantCounts(t, err, 0, 5, 0, 0).Failures {
			if err.(*group.ItemError).Index != i {
				t.Fatalf("Failures[%d] is of item %d", i, err.(*group.ItemError).Index)
			}
		}
	})
}

func TestMapFailureCancelsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cause error
		got, err := group.Map(t.Context(), upTo(20), group.Config{Limit: 4, MaxFailures: 2}, func(ctx context.Context, n int) (int, error) {
			switch n {
			case 0:
				return 10, nil
			case 1:
				<-ctx.Done()
				cause = context.Cause(ctx)
				return 0, cause
			case 5, 2:
				time.Sleep(time.Duration(n) * time.Second)
				return 0, errBoom
			default:
				return 0, untilCanceled(ctx)
			}
		})
		// Item 4 takes the place of 0, and 5 that of 2; when 5 fails, 1, 3 and 4 run, and 6 to 19 wait.
		e := wantCounts(t, err, 1, 2, 3, 14)
		item, ok := cause.(*group.ItemError)
		if !ok || item.Index != 5 || e.Cause != cause || !errors.Is(cause, errBoom) {
			t.Fatalf("cause %v, Error.Cause %v, want the failure of item 5", cause, e.Cause)
		}
		if got[0] != 10 || e.Item(0) != nil || e.Item(19) != group.ErrNotStarted || !errors.Is(e.Item(3), context.Canceled) {
			t.Fatalf("items say %v, %v, %v", e.Item(0), e.Item(19), e.Item(3))
		}
		if errors.Is(err, context.Canceled) {
			t.Fatal("the scope's own cancellation shows in its error")
		}
	})
}

// An item's own io.EOF is not taken for another's that canceled the scope.
func TestMapTellsEqualErrorsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := group.Map(t.Context(), upTo(2), group.Config{}, func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				time.Sleep(time.Second)
			} else {
				<-ctx.Done()
			}
			return 0, io.EOF
		})
		wantCounts(t, err, 0, 2, 0, 0)
	})
}

func TestMapPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := group.Map(t.Context(), upTo(20), group.Config{Limit: 2, MaxFailures: -1}, func(ctx context.Context, n int) (int, error) {
			switch n {
			case 0:
				return 0, untilCanceled(ctx)
			case 5:
				panicsAt()
			}
			return n, nil
		})
		e := wantCounts(t, err, 4, 1, 1, 14)
		p, ok := errors.AsType[*group.PanicError](e.Item(5))
		if !ok || p.Value != errBoom || e.Cause != e.Item(5) {
			t.Fatalf("item 5 says %v, cause %v, want its *PanicError", e.Item(5), e.Cause)
		}
	})
}

func TestMapPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(time.Second)})
		attempts := make([]int, 10)
		got, err := group.Map(t.Context(), upTo(10), group.Config{Policy: again, Limit: 3, MaxFailures: -1}, func(_ context.Context, n int) (int, error) {
			attempts[n]++
			if attempts[n] <= n%5 {
				return -1, errBoom
			}
			return n, nil
		})
		e := wantCounts(t, err, 6, 4, 0, 0)
		for i := range got {
			exhausted, gaveUp := errors.AsType[*retry.ExhaustedError](e.Item(i))
			if gaveUp != (i%5 > 2) || gaveUp && len(exhausted.Attempts) != 3 || !gaveUp && got[i] != i {
				t.Fatalf("item %d: %d, %v", i, got[i], e.Item(i))
			}
		}
	})
}

// Each of two overlapping runs has its own result, and only that of the branch kept may come out.
func TestMapPolicyOverlappingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hedge := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
			slow, fast := make(chan error, 1), make(chan error, 1)
			slowCtx, _ := mettle.Fork(context.WithValue(ctx, requestKey{}, "slow"))
			fastCtx, kept := mettle.Fork(context.WithValue(ctx, requestKey{}, "fast"))
			go func() { slow <- fn(slowCtx) }()
			go func() { fast <- fn(fastCtx) }()
			err := <-fast
			<-slow
			kept.Keep()
			return err
		})
		got, err := group.Map(t.Context(), upTo(50), group.Config{Policy: hedge}, func(ctx context.Context, n int) (string, error) {
			if ctx.Value(requestKey{}) == "slow" {
				time.Sleep(time.Second)
			}
			return fmt.Sprint(n, ctx.Value(requestKey{})), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range got {
			if s != fmt.Sprint(i, "fast") {
				t.Fatalf("result %d is %q", i, s)
			}
		}
	})
}

// The error is ErrRejected exactly if no function ran.
func TestRejections(t *testing.T) {
	reason := errors.New("closed for today")
	odd := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		return mettle.Reject("door", "", reason, nil)
	})
	_, err := group.Map(t.Context(), upTo(3), group.Config{Policy: odd, MaxFailures: -1}, double)
	wantCounts(t, err, 0, 3, 0, 0)
	if !errors.Is(err, mettle.ErrRejected) || !errors.Is(err, reason) {
		t.Fatalf("%v: every call was rejected, but the error is not ErrRejected", err)
	}

	first := true
	half := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		if first {
			first = false
			return fn(ctx)
		}
		return mettle.Reject("door", "", reason, nil)
	})
	_, err = group.Map(t.Context(), upTo(3), group.Config{Policy: half, MaxFailures: -1, Limit: 1}, double)
	e := wantCounts(t, err, 1, 2, 0, 0)
	if errors.Is(err, mettle.ErrRejected) || !errors.Is(err, reason) {
		t.Fatalf("%v: a call ran, but the error is ErrRejected, or its reason is lost", err)
	}
	if item, ok := errors.AsType[*group.ItemError](err); !ok || item.Index != 1 || !errors.Is(e.Item(1), mettle.ErrRejected) {
		t.Fatalf("item 1 does not say that it was rejected: %v", e.Item(1))
	}

	err = group.RunWith(t.Context(), group.Config{Policy: odd}, func(g *group.Group) error { g.Go(succeed); return nil })
	if wantCounts(t, err, 0, 1, 0, 0); errors.Is(err, mettle.ErrRejected) {
		t.Fatalf("%v: the body ran, but the error is ErrRejected", err)
	}
}
