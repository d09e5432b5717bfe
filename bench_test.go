package mettle_test

import (
	"context"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// The stack of the package's description, the function returns at once.
func BenchmarkUsualStack(b *testing.B) {
	ctx, stack := request(b), usual()
	b.ReportAllocs()
	for id := 0; b.Loop(); id++ {
		if u, err := mettle.Call(ctx, stack, func(context.Context) (user, error) { return user{id, "ada"}, nil }); err != nil || u.id != id {
			b.Fatal(u, err)
		}
	}
}

// The same, and the function asks for Done, as every HTTP or database call does.
func BenchmarkUsualStackDone(b *testing.B) {
	ctx, stack := request(b), usual()
	b.ReportAllocs()
	for id := 0; b.Loop(); id++ {
		mettle.Call(ctx, stack, func(ctx context.Context) (user, error) { ctx.Done(); return user{id, "ada"}, nil })
	}
}

func BenchmarkUsualStackParallel(b *testing.B) {
	ctx, stack := request(b), usual()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mettle.Call(ctx, stack, func(context.Context) (user, error) { return user{}, nil })
		}
	})
}

// By hand, without a policy of this module: what a user would write for the same.
func BenchmarkUsualStackByHand(b *testing.B) {
	ctx := request(b)
	places := make(chan struct{}, 32)
	failures := 0
	once := func(ctx context.Context) (user, error) {
		if failures > 10 {
			return user{}, errDown
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return user{}, ctx.Err()
		}
		defer func() { <-places }()
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if ctx.Err() != nil {
			failures++
		}
		return user{}, ctx.Err()
	}
	b.ReportAllocs()
	for b.Loop() {
		for range 4 {
			if _, err := once(ctx); err == nil {
				break
			}
		}
	}
}

func BenchmarkRetryFirstTry(b *testing.B) {
	ctx, p := request(b), retry.New(retry.Config{})
	b.ReportAllocs()
	for b.Loop() {
		p.Do(ctx, nothing)
	}
}

func BenchmarkRetryFirstTryCall(b *testing.B) {
	ctx, p := request(b), retry.New(retry.Config{})
	b.ReportAllocs()
	for b.Loop() {
		mettle.Call(ctx, p, func(context.Context) (user, error) { return user{}, nil })
	}
}

func BenchmarkRetryTwoFailures(b *testing.B) {
	ctx, p := request(b), retry.New(retry.Config{Backoff: retry.Constant(0), Budget: retry.Unlimited})
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		p.Do(ctx, func(context.Context) error {
			if n++; n < 3 {
				return errDown
			}
			return nil
		})
	}
}

func BenchmarkRetryExhausted(b *testing.B) {
	ctx, p := request(b), retry.New(retry.Config{Backoff: retry.Constant(0), Budget: retry.Unlimited})
	b.ReportAllocs()
	for b.Loop() {
		p.Do(ctx, down)
	}
}

func BenchmarkTimeout(b *testing.B) {
	ctx, p := request(b), timeout.After(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		p.Do(ctx, nothing)
	}
}

func BenchmarkTimeoutDone(b *testing.B) {
	ctx, p := request(b), timeout.After(time.Minute)
	b.ReportAllocs()
	for b.Loop() {
		p.Do(ctx, func(ctx context.Context) error { ctx.Done(); return nil })
	}
}

func BenchmarkTimeoutStandardLibrary(b *testing.B) {
	ctx := request(b)
	b.ReportAllocs()
	for b.Loop() {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		nothing(ctx)
		cancel()
	}
}

func BenchmarkRejectedByAnOpenBreaker(b *testing.B) {
	ctx := request(b)
	br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour})
	br.Do(ctx, down)
	stack := mettle.Compose(retry.New(retry.Config{}), br, bulkhead.New(bulkhead.Config{Limit: 32}), timeout.After(time.Minute))
	b.ReportAllocs()
	for b.Loop() {
		stack.Do(ctx, nothing)
	}
}

func BenchmarkForeignPolicy(b *testing.B) {
	ctx := request(b)
	b.ReportAllocs()
	for b.Loop() {
		mettle.Call(ctx, pass, func(context.Context) (user, error) { return user{}, nil })
	}
}
