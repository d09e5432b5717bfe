package lock_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/mettle-go/mettle/lock"
)

type key struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

func BenchmarkFree(b *testing.B) {
	b.Run("Mutex", func(b *testing.B) {
		var m lock.Mutex
		ctx := request(b)
		b.ReportAllocs()
		for b.Loop() {
			if m.Lock(ctx) != nil {
				b.Fatal("ended")
			}
			m.Unlock()
		}
	})
	b.Run("sync.Mutex", func(b *testing.B) {
		var m sync.Mutex
		b.ReportAllocs()
		for b.Loop() {
			m.Lock()
			m.Unlock() //lint:ignore SA2001 that is what is measured
		}
	})
	b.Run("channel", func(b *testing.B) {
		m, ctx := make(chan struct{}, 1), request(b)
		b.ReportAllocs()
		for b.Loop() {
			select {
			case m <- struct{}{}:
			case <-ctx.Done():
				b.Fatal("ended")
			}
			<-m
		}
	})
	b.Run("Keyed", func(b *testing.B) {
		var l lock.Keyed[int]
		ctx, k := request(b), 0
		b.ReportAllocs()
		for b.Loop() {
			if l.Lock(ctx, k) != nil {
				b.Fatal("ended")
			}
			l.Unlock(k)
			k++
		}
	})
}

// Sixteen goroutines want one lock.
func BenchmarkContended(b *testing.B) {
	b.Run("Mutex", func(b *testing.B) {
		var m lock.Mutex
		ctx := request(b)
		crowd(b, func() {
			if m.Lock(ctx) != nil {
				b.Error("ended")
			}
			m.Unlock()
		})
	})
	b.Run("channel", func(b *testing.B) {
		m, ctx := make(chan struct{}, 1), request(b)
		crowd(b, func() {
			select {
			case m <- struct{}{}:
			case <-ctx.Done():
				b.Error("ended")
			}
			<-m
		})
	})
	b.Run("sync.Mutex", func(b *testing.B) {
		var m sync.Mutex
		crowd(b, func() {
			m.Lock()
			m.Unlock() //lint:ignore SA2001 that is what is measured
		})
	})
	b.Run("Keyed", func(b *testing.B) {
		var l lock.Keyed[string]
		ctx := request(b)
		crowd(b, func() {
			if l.Lock(ctx, "k") != nil {
				b.Error("ended")
			}
			l.Unlock("k")
		})
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
