package group_test

import (
	"context"
	"testing"

	"github.com/mettle-go/mettle/group"
)

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	done := make(chan struct{}, 1)
	task := func(context.Context) error { done <- struct{}{}; return nil }
	_ = group.Run(t.Context(), func(g *group.Group) error {
		if n := testing.AllocsPerRun(1000, func() { g.Go(task); <-done }); n > 1 {
			t.Errorf("Go allocates %v times, want 1", n)
		}
		return nil
	})

	_ = group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
		if n := testing.AllocsPerRun(1000, func() { g.Go(succeed) }); n > 1 {
			t.Errorf("Go with a Limit allocates %v times, want at most 1", n)
		}
		return nil
	})

	place := make(chan struct{})
	_ = group.RunWith(t.Context(), group.Config{Limit: 1}, func(g *group.Group) error {
		task := func(context.Context) error { <-place; return nil }
		g.Go(task)
		if n := testing.AllocsPerRun(1000, func() {
			go func() { place <- struct{}{} }()
			g.Go(task) // waits
		}); n > 1 {
			t.Errorf("a Go that waits allocates %v times, and the goroutine beside it, want 1 together", n)
		}
		close(place)
		return nil
	})

	items := upTo(10_000)
	if n := testing.AllocsPerRun(10, func() { _, _ = group.Map(t.Context(), items, group.Config{Limit: 4}, double) }); n > 20 {
		t.Errorf("Map of %d items allocates %v times, want at most 20", len(items), n)
	}
}
