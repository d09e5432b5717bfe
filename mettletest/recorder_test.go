package mettletest_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettletest"
)

func TestRecorderKeepsTheOrder(t *testing.T) {
	var rec mettletest.Recorder
	if rec.Events() != nil || rec.Kinds() != nil {
		t.Error("a new recorder is not empty")
	}
	want := []mettle.Event{
		{Kind: mettle.Retried, Policy: "retry", Attempt: 1},
		{Kind: mettle.Rejected, Policy: "breaker", Err: errDown},
		{Kind: mettle.Retried, Policy: "retry", Attempt: 2},
	}
	for _, e := range want {
		rec.Observe(context.Background(), e)
	}
	got := rec.Events()
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got[0] = mettle.Event{}
	if again := rec.Events(); !slices.Equal(again, want) {
		t.Error("the slice that Events returned is not a copy")
	}
	if kinds := []mettle.Kind{mettle.Retried, mettle.Rejected, mettle.Retried}; !slices.Equal(rec.Kinds(), kinds) {
		t.Errorf("the kinds are %v, want %v", rec.Kinds(), kinds)
	}
	rec.Reset()
	if rec.Events() != nil {
		t.Error("a recorder that was reset is not empty")
	}
}

// While many observe, each sees its own events at once, in order, and at the end none is missing.
func TestRecorderIsShared(t *testing.T) {
	const crowd, each = 16, 100
	var rec mettletest.Recorder
	var calls sync.WaitGroup
	for i := range crowd {
		calls.Go(func() {
			for n := range each {
				rec.Observe(context.Background(), mettle.Event{Kind: mettle.Retried, Of: i, Attempt: n})
				if n%10 > 0 {
					continue
				}
				next := 0
				for _, e := range rec.Events() {
					if e.Of == i {
						if e.Attempt != next {
							t.Errorf("event %d of %d is number %d", next, i, e.Attempt)
						}
						next++
					}
				}
				if next != n+1 {
					t.Errorf("of %d events %d are seen", n+1, next)
				}
			}
		})
	}
	calls.Wait()
	if n := len(rec.Events()); n != crowd*each {
		t.Errorf("%d events, want %d", n, crowd*each)
	}
}
