package queue_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/mettle-go/mettle/queue"
)

type key struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

// crowds are the numbers of producers, and of consumers, that pass items to each other.
var crowds = []int{1, 4}

const capacity = 1024

// An item from a Put to a Get.
func BenchmarkQueue(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprintf("%dP%dC", n, n), func(b *testing.B) {
			q, ctx := queue.New[int](capacity), request(b)
			pass(b, n, func(v int) error { return q.Put(ctx, v) }, func() (int, error) { return q.Get(ctx) })
		})
	}
}

// What it is measured against: a channel, and a select, since a wait has to end with its context.
func BenchmarkChannel(b *testing.B) {
	for _, n := range crowds {
		b.Run(fmt.Sprintf("%dP%dC", n, n), func(b *testing.B) {
			ch, ctx := make(chan int, capacity), request(b)
			pass(b, n, func(v int) error {
				select {
				case ch <- v:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}, func() (int, error) {
				select {
				case v := <-ch:
					return v, nil
				case <-ctx.Done():
					return 0, ctx.Err()
				}
			})
		})
	}
}

func pass(b *testing.B, n int, put func(int) error, get func() (int, error)) {
	b.ReportAllocs()
	var wg sync.WaitGroup
	for i := range n {
		share := (b.N + i) / n // together b.N
		wg.Go(func() {
			for v := range share {
				if err := put(v); err != nil {
					b.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for range share {
				if _, err := get(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
