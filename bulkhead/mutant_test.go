package bulkhead

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
)

// barging frees the place of one who leaves and wakes the first in the queue to race for it.
type barging struct{ real }

func (b barging) release() {
	b.mu.Lock()
	w := b.queue.Pop()
	if w != nil {
		b.word.Store(core.Handed(b.word.Load()))
	}
	b.word.Add(^uint64(0))
	b.mu.Unlock()
	if w != nil {
		w.Grant()
	}
}

func (b barging) acquire(ctx context.Context) error {
	_, at, err := b.AcquireAt(ctx, 1)
	if err == nil && at == clock.Unread {
		return b.acquire(ctx) // woken, but still without a place
	}
	return err
}

// leaky keeps the place in the queue of a waiter who left.
type leaky struct{ real }

func (b leaky) acquire(ctx context.Context) error {
	err := b.real.acquire(ctx)
	if told(err) == ended {
		b.word.Add(1 << 32)
	}
	return err
}

// forgetful frees the place of one who leaves without a look at the queue.
type forgetful struct{ real }

func (b forgetful) release() { b.word.Add(^uint64(0)) }

// strict looks at the context first.
type strict struct{ real }

func (b strict) acquire(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return b.real.acquire(ctx)
}

// The bugs planted here are those that bulkheads of this world have had.
func TestPlantedBugsAreCaught(t *testing.T) {
	for name, with := range map[string]func(Config) subject{
		"a newcomer passes the queue":            func(c Config) subject { return barging{real{New(c)}} },
		"a canceled waiter is still counted":     func(c Config) subject { return leaky{real{New(c)}} },
		"a place comes free and nobody is woken": func(c Config) subject { return forgetful{real{New(c)}} },
		"one more than the limit": func(c Config) subject {
			c.Limit++
			return real{New(c)}
		},
		"a queue without bound": func(c Config) subject {
			c.Queue = 1000
			return real{New(c)}
		},
		"nobody is ever late": func(c Config) subject {
			c.MaxWait = 0
			return real{New(c)}
		},
		"an ended context is turned away from a free place": func(c Config) subject { return strict{real{New(c)}} },
	} {
		t.Run(name, func(t *testing.T) {
			caught := false
			for seed := uint64(0); seed < 200 && !caught; seed++ {
				synctest.Test(t, func(t *testing.T) { caught = check(random(seed, 200), with) != nil })
			}
			if !caught {
				t.Error("200 random runs do not show the bug")
			}
		})
	}
}
