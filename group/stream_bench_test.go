package group_test

import (
	"iter"
	"testing"

	"github.com/mettle-go/mettle/group"
)

// count yields 0 to n-1.
func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func BenchmarkStream(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  group.Config
	}{
		{"limit 1", group.Config{Limit: 1}},
		{"limit 8", group.Config{Limit: 8}},
		{"limit 8 unordered", group.Config{Limit: 8, Unordered: true}},
		{"limit 64", group.Config{Limit: 64}},
		{"limit 64 unordered", group.Config{Limit: 64, Unordered: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			sum := 0
			for v, err := range group.Stream(requestContext(b), count(b.N), c.cfg, double) {
				if err != nil {
					b.Fatal(err)
				}
				sum += v
			}
			if sum != b.N*(b.N-1) {
				b.Fatal("lost items")
			}
		})
	}
}
