package ratelimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/ratelimit"
)

type key struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

func nothing(context.Context) error { return nil }

// What every call pays: compare with this.
func BenchmarkClock(b *testing.B) {
	var last clock.Instant
	for b.Loop() {
		last = clock.Now()
	}
	_ = last
}

var (
	generous = ratelimit.Config{Rate: 1e9, Burst: 1000}
	mean     = ratelimit.Config{Rate: 1, Per: 24 * time.Hour, Burst: 1}
)

func BenchmarkAllow(b *testing.B) {
	l := ratelimit.New(generous)
	b.ReportAllocs()
	for b.Loop() {
		if !l.Allow() {
			b.Fatal("rejected")
		}
	}
}

func BenchmarkAllowParallel(b *testing.B) {
	l := ratelimit.New(ratelimit.Config{Rate: 1e9, Burst: 1e9})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Allow()
		}
	})
}

func BenchmarkDo(b *testing.B) {
	l, ctx := ratelimit.New(generous), request(b)
	b.ReportAllocs()
	for b.Loop() {
		if l.Do(ctx, nothing) != nil {
			b.Fatal("rejected")
		}
	}
}

func BenchmarkReject(b *testing.B) {
	l, ctx := ratelimit.New(mean), request(b)
	l.Allow()
	b.ReportAllocs()
	for b.Loop() {
		if l.Do(ctx, nothing) == nil {
			b.Fatal("admitted")
		}
	}
}

func BenchmarkRejectAllow(b *testing.B) {
	l := ratelimit.New(mean)
	l.Allow()
	b.ReportAllocs()
	for b.Loop() {
		if l.Allow() {
			b.Fatal("admitted")
		}
	}
}

func BenchmarkStrict(b *testing.B) {
	l := ratelimit.New(ratelimit.Config{Rate: 100, Per: 100, Strict: true})
	b.ReportAllocs()
	for b.Loop() {
		if !l.Allow() {
			b.Fatal("rejected")
		}
	}
}

func BenchmarkStrictReject(b *testing.B) {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: 24 * time.Hour, Strict: true})
	l.Allow()
	b.ReportAllocs()
	for b.Loop() {
		if l.Allow() {
			b.Fatal("admitted")
		}
	}
}
