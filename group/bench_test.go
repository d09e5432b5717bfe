package group_test

import (
	"context"
	"sync"
	"testing"

	"github.com/mettle-go/mettle/group"
)

type requestKey struct{}

// requestContext is a context as a request has it: with a value and a cancelable parent.
func requestContext(b *testing.B) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	return context.WithValue(ctx, requestKey{}, 1)
}

func double(_ context.Context, n int) (int, error) { return 2 * n, nil }

func BenchmarkMap(b *testing.B) {
	items := make([]int, 100_000)
	perItem := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(items)), "ns/item")
	}
	b.Run("loop", func(b *testing.B) {
		ctx := requestContext(b)
		fn := double
		for b.Loop() {
			results := make([]int, len(items))
			for i, item := range items {
				v, err := fn(ctx, item)
				if err != nil {
					b.Fatal(err)
				}
				results[i] = v
			}
		}
		perItem(b)
	})
	for _, limit := range []struct {
		name string
		n    int
	}{{"limit 1", 1}, {"limit 64", 64}} {
		b.Run(limit.name, func(b *testing.B) {
			ctx := requestContext(b)
			for b.Loop() {
				if _, err := group.Map(ctx, items, group.Config{Limit: limit.n}, double); err != nil {
					b.Fatal(err)
				}
			}
			perItem(b)
		})
	}
}

func BenchmarkGo(b *testing.B) {
	task := func(context.Context) error { return nil }
	b.Run("WaitGroup", func(b *testing.B) {
		ctx := requestContext(b)
		var wg sync.WaitGroup
		for b.Loop() {
			wg.Add(1)
			go func() { defer wg.Done(); _ = task(ctx) }()
		}
		wg.Wait()
	})
	for _, limit := range []struct {
		name string
		n    int
	}{{"no limit", 0}, {"limit 64", 64}} {
		b.Run(limit.name, func(b *testing.B) {
			b.ReportAllocs()
			_ = group.RunWith(requestContext(b), group.Config{Limit: limit.n}, func(g *group.Group) error {
				for b.Loop() {
					g.Go(task)
				}
				return nil
			})
		})
	}
}
