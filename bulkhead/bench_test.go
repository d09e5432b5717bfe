package bulkhead_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/mettle-go/mettle/bulkhead"
)

type key struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

func nothing(context.Context) error { return nil }

func BenchmarkFree(b *testing.B) {
	bh, ctx := bulkhead.New(bulkhead.Config{Limit: 10}), request(b)
	b.ReportAllocs()
	for b.Loop() {
		if bh.Do(ctx, nothing) != nil {
			b.Fatal("rejected")
		}
	}
}

func BenchmarkFull(b *testing.B) {
	bh, ctx := bulkhead.New(bulkhead.Config{Limit: 1}), request(b)
	permit, _ := bh.Acquire(ctx)
	defer permit.Done(nil)
	if err := bh.Do(ctx, nothing); !errors.Is(err, bulkhead.ErrFull) {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if bh.Do(ctx, nothing) == nil { // errors.Is would cost more than the rejection
			b.Fatal("admitted")
		}
	}
}

// Sixteen goroutines pass through one place, which is handed over in strict order.
func BenchmarkContended(b *testing.B) {
	bh, ctx := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 64}), request(b)
	crowd(b, func() {
		if bh.Do(ctx, nothing) != nil {
			b.Error("rejected")
		}
	})
}

// What it is measured against: the semaphore that everybody writes, with a context.
func BenchmarkContendedChannel(b *testing.B) {
	sem, ctx := make(chan struct{}, 1), request(b)
	crowd(b, func() {
		select {
		case sem <- struct{}{}:
		case <-ctx.Done():
			b.Error("ended")
		}
		nothing(ctx)
		<-sem
	})
}

func crowd(b *testing.B, do func()) {
	b.ReportAllocs()
	b.SetParallelism((16 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			do()
		}
	})
}
