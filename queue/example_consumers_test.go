package queue_test

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/queue"
)

// One producer, two consumers, ten items at most in between, and every item processed when Run returns. If a consumer
// fails, the producer's Put ends with the scope.
func Example_consumers() {
	q := queue.New[int](10)
	var processed, sum atomic.Int64

	err := group.Run(context.Background(), func(g *group.Group) error {
		for range 2 {
			g.Go(func(ctx context.Context) error {
				for v := range q.All(ctx) {
					processed.Add(1)
					sum.Add(int64(v))
				}
				return ctx.Err()
			})
		}
		g.Go(func(ctx context.Context) error {
			defer q.Close()
			for v := range 1000 {
				if err := q.Put(ctx, v); err != nil {
					return err
				}
			}
			return nil
		})
		return nil
	})
	fmt.Println(processed.Load(), "items, sum", sum.Load(), err)
	// Output: 1000 items, sum 499500 <nil>
}
