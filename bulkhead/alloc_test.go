package bulkhead_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
)

func wantAllocs(t *testing.T, what string, want float64, run func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, run); got != want {
		t.Errorf("%s: %v allocations, want %v", what, got, want)
	}
}

func TestAllocations(t *testing.T) {
	if bulkhead.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	free := bulkhead.New(bulkhead.Config{Limit: 1})
	full := bulkhead.New(bulkhead.Config{Limit: 1})
	occupy(t, full, 1)
	wantAllocs(t, "free", 0, func() { free.Do(ctx, nothing) })
	wantAllocs(t, "full", 0, func() { full.Do(ctx, nothing) })
	wantAllocs(t, "a permit", 0, func() {
		p, _ := free.Acquire(ctx)
		p.Done(nil)
	})
	wantAllocs(t, "a call", 0, func() {
		mettle.Call(ctx, free, func(context.Context) (int, error) { return 1, nil })
	})
}

// The first wait makes a channel and a timer, and later ones use them again.
func TestAllocationsOfAWait(t *testing.T) {
	if bulkhead.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1, MaxWait: time.Second})
		leave := occupy(t, b, 1)
		wantAllocs(t, "a wait that is too long", 0, func() { b.Do(bg, nothing) })
		leave()

		ask, answer := make(chan struct{}), make(chan error)
		go func() {
			for range ask {
				answer <- b.Do(bg, nothing)
			}
		}()
		wantAllocs(t, "a wait", 0, func() {
			p, _ := b.Acquire(bg)
			ask <- struct{}{}
			synctest.Wait()
			p.Done(nil)
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
		close(ask)
		if waited := b.Describe().Metrics[3].Value; waited < 200 {
			t.Errorf("only %v of the calls waited", waited)
		}
	})
}
