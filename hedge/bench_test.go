package hedge_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

// byHand is a hedge as one writes it without a library: two goroutines, a timer and a channel. It does not even wait for the loser.
func byHand(ctx context.Context, delay time.Duration, fn func(context.Context) (int, error)) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		v   int
		err error
	}
	results := make(chan result, 2)
	run := func() {
		v, err := fn(ctx)
		results <- result{v, err}
	}
	go run()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	for running := 1; ; {
		select {
		case r := <-results:
			if running--; r.err == nil || running == 0 {
				return r.v, r.err
			}
		case <-timer.C:
			running++
			go run()
		}
	}
}

func seven(context.Context) (int, error) { return 7, nil }

func sevenDone(ctx context.Context) (int, error) { ctx.Done(); return 7, nil }

func BenchmarkByHand(b *testing.B) {
	ctx := request(b)
	b.ReportAllocs()
	for b.Loop() {
		byHand(ctx, time.Hour, seven)
	}
}

func BenchmarkDo(b *testing.B) {
	ctx, p := request(b), hedge.New(hedge.Config{Delay: time.Hour})
	b.ReportAllocs()
	for b.Loop() {
		p.Do(ctx, nothing)
	}
}

func BenchmarkCall(b *testing.B) {
	ctx, p := request(b), hedge.New(hedge.Config{Delay: time.Hour})
	b.ReportAllocs()
	for b.Loop() {
		mettle.Call(ctx, p, seven)
	}
}

func BenchmarkCallDone(b *testing.B) {
	ctx, p := request(b), hedge.New(hedge.Config{Delay: time.Hour})
	b.ReportAllocs()
	for b.Loop() {
		mettle.Call(ctx, p, sevenDone)
	}
}

func BenchmarkCallQuantile(b *testing.B) {
	ctx, p := request(b), hedge.New(hedge.Config{Quantile: 0.95})
	for range 200 {
		p.Do(ctx, func(context.Context) error { // takes some microseconds, so that no hedge fires below
			sha256.Sum256(make([]byte, 16<<10))
			return nil
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		mettle.Call(ctx, p, seven)
	}
}

func BenchmarkCallParallel(b *testing.B) {
	ctx, p := request(b), hedge.New(hedge.Config{Delay: time.Hour})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mettle.Call(ctx, p, seven)
		}
	})
}
