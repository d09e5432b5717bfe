package breaker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/internal/clock"
)

type key struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, 1))
	tb.Cleanup(cancel)
	return ctx
}

func nothing(context.Context) error { return nil }

var errDown = errors.New("down")

func down(context.Context) error { return errDown }

func BenchmarkClosed(b *testing.B) {
	br, ctx := breaker.New(breaker.Config{}), request(b)
	b.ReportAllocs()
	for b.Loop() {
		if br.Do(ctx, nothing) != nil {
			b.Fatal("rejected")
		}
	}
}

func BenchmarkClosedParallel(b *testing.B) {
	br, ctx := breaker.New(breaker.Config{}), request(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			br.Do(ctx, nothing)
		}
	})
}

// One failure in ten: the word is written by almost every call.
func BenchmarkClosedFailures(b *testing.B) {
	br, ctx := breaker.New(breaker.Config{}), request(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		fn := nothing
		if n++; n%10 == 0 {
			fn = down
		}
		br.Do(ctx, fn)
	}
}

// Rejecting must cost no more than admitting: compare with BenchmarkClosed.
func BenchmarkOpen(b *testing.B) {
	br, ctx := breaker.New(breaker.Config{Cooldown: time.Hour}), request(b)
	for br.State() == breaker.Closed {
		br.Do(ctx, down)
	}
	b.ReportAllocs()
	for b.Loop() {
		if br.Do(ctx, nothing) == nil {
			b.Fatal("admitted")
		}
	}
}

// The one probe is under way and everybody else is rejected.
func BenchmarkHalfOpenReject(b *testing.B) {
	br, ctx := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Hour}), request(b)
	br.Do(ctx, down)
	if _, _, err := br.AcquireAt(ctx, clock.Now().Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if br.Do(ctx, nothing) == nil {
			b.Fatal("admitted")
		}
	}
}

func BenchmarkClosedWindow(b *testing.B) {
	for _, bench := range []struct {
		name string
		trip breaker.Trip
	}{
		{"calls", breaker.Rate(breaker.Window{Calls: 100})},
		{"time", breaker.Rate(breaker.Window{Time: 10 * time.Second})},
		{"time, slow calls", breaker.Rate(breaker.Window{Time: 10 * time.Second, Slow: 0.5, SlowAfter: time.Second})},
		{"custom", breaker.Custom(func() breaker.Detector { return never{} })},
	} {
		b.Run(bench.name, func(b *testing.B) {
			br, ctx := breaker.New(breaker.Config{Trip: bench.trip}), request(b)
			b.ReportAllocs()
			for b.Loop() {
				if br.Do(ctx, nothing) != nil {
					b.Fatal("rejected")
				}
			}
		})
	}
}

type never struct{}

func (never) Trips(breaker.Outcome) bool { return false }

// What the clock costs on this machine, to be taken off the others.
func BenchmarkClock(b *testing.B) {
	for b.Loop() {
		clock.Now()
	}
}

func BenchmarkForcedOpen(b *testing.B) {
	br, ctx := breaker.New(breaker.Config{}), request(b)
	br.ForceOpen()
	b.ReportAllocs()
	for b.Loop() {
		if br.Do(ctx, nothing) == nil {
			b.Fatal("admitted")
		}
	}
}
