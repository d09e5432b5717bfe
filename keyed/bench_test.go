package keyed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/keyed"
)

var nothing = func(context.Context) error { return nil }

func newBreaker(host string) mettle.Policy { return breaker.New(breaker.Config{Name: host}) }

func hosts(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("host-%d.example.org", i)
	}
	return keys
}

// filled returns a map with a breaker for each of the keys.
func filled(keys []string) *keyed.Map[string] {
	m := keyed.New(keyed.Config[string]{New: newBreaker, Max: len(keys)})
	for _, k := range keys {
		m.For(k)
	}
	return m
}

func BenchmarkHit(b *testing.B) {
	keys := hosts(100_000)
	m := filled(keys)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.For(keys[i*7919%len(keys)])
	}
}

func BenchmarkHitParallel(b *testing.B) {
	keys := hosts(100_000)
	m := filled(keys)
	var other sync.Map
	for _, k := range keys {
		other.Store(k, m.For(k))
	}
	b.Run("keyed", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				m.For(keys[i*7919%len(keys)])
			}
		})
	})
	b.Run("sync.Map", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				other.Load(keys[i*7919%len(keys)])
			}
		})
	})
}

func BenchmarkCall(b *testing.B) {
	ctx := context.Background()
	m := filled(hosts(1000))
	alone := newBreaker("alone")
	answer := func(context.Context) (int, error) { return 1, nil }
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mettle.Call(ctx, alone, answer)
		}
	})
	b.Run("keyed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mettle.Call(ctx, m.For("host-7.example.org"), answer)
		}
	})
}

func BenchmarkCreate(b *testing.B) {
	keys := hosts(100_000)
	b.ReportAllocs()
	for i := 0; i < b.N; {
		m := keyed.New(keyed.Config[string]{New: newBreaker, Max: len(keys)})
		for _, k := range keys[:min(len(keys), b.N-i)] {
			m.For(k)
			i++
		}
	}
}

// Each key is new, and the map is full of others that were called once.
func BenchmarkEvict(b *testing.B) {
	keys := hosts(100_000)
	m := keyed.New(keyed.Config[string]{New: newBreaker})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.For(keys[i%len(keys)]).Do(context.Background(), nothing)
	}
}

// Each call is turned away: all policies are in use.
func BenchmarkRefuse(b *testing.B) {
	m := filled(hosts(10_000))
	for k := range m.All() {
		m.Acquire(context.Background(), k)
	}
	one := m.For("one too many")
	b.ReportAllocs()
	for b.Loop() {
		one.Do(context.Background(), nothing)
	}
}
