package mettle_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/mettle-go/mettle/ctxvar"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/lock"
	"github.com/mettle-go/mettle/queue"
)

func Example_asyncioQueue() {
	ctx := context.Background()
	var sum atomic.Int64
	process := func(n int) { sum.Add(int64(n)) }

	q := queue.New[int](10)
	err := group.Run(ctx, func(g *group.Group) error {
		for range 3 {
			g.Go(func(ctx context.Context) error {
				for n := range q.All(ctx) { // tells task_done after each
					process(n)
				}
				return ctx.Err()
			})
		}
		for n := range 100 {
			if err := q.Put(g.Context(), n); err != nil {
				return err
			}
		}
		if err := q.Wait(g.Context()); err != nil { // join
			return err
		}
		q.Close() // the consumers' loops end
		return nil
	})

	fmt.Println(sum.Load(), err)
	// Output: 4950 <nil>
}

func Example_asyncioLock() {
	var balance int

	var mu lock.Mutex
	add := func(ctx context.Context, amount int) (int, error) {
		if err := mu.Lock(ctx); err != nil { // the context ended first
			return 0, err
		}
		defer mu.Unlock()
		balance += amount
		return balance, nil
	}

	_, err := group.Map(context.Background(), []int{1, 2, 3}, group.Config{}, add)
	fmt.Println(balance, err)
	// Output: 6 <nil>
}

var requestID = ctxvar.New[string]("request_id")

func Example_asyncioContextvars() {
	ctx := context.Background()
	options := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}

	log := slog.New(ctxvar.Handler(slog.NewTextHandler(os.Stdout, options), requestID))
	ctx = requestID.With(ctx, "r-17")
	log.InfoContext(ctx, "begin", "id", requestID.Or(ctx, "none"))

	// Output: level=INFO msg=begin id=r-17 request_id=r-17
}
