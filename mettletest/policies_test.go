package mettletest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

var errDown = errors.New("down")

func fail(context.Context) error { return errDown }

// testPolicy tests what newPolicy makes, by itself and in a stack.
func testPolicy(t *testing.T, c mettletest.Config) {
	mettletest.TestPolicy(t, c)
	newPolicy := c.New
	c.New = func(o mettle.Observer) mettle.Policy { return mettle.Compose(newPolicy(o)) }
	t.Run("stack", func(t *testing.T) { mettletest.TestPolicy(t, c) })
}

func TestRetryKeepsTheContract(t *testing.T) {
	for name, config := range map[string]retry.Config{
		"defaults": {},
		"once":     {Attempts: 1},
		"no wait":  {Name: "quick", Attempts: 4, Backoff: retry.Constant(0)},
		"patient":  {Name: "patient", Attempts: 40},
	} {
		t.Run(name, func(t *testing.T) {
			testPolicy(t, mettletest.Config{New: func(o mettle.Observer) mettle.Policy {
				config.Observer = o
				return retry.New(config)
			}})
		})
	}
}

func TestTimeoutKeepsTheContract(t *testing.T) {
	for name, config := range map[string]timeout.Config{
		"short": {Name: "query", After: 10 * time.Millisecond},
		"long":  {After: 48 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			testPolicy(t, mettletest.Config{New: func(o mettle.Observer) mettle.Policy {
				config.Observer = o
				return timeout.New(config)
			}})
		})
	}
}

func openBreaker(o mettle.Observer) mettle.Policy {
	b := breaker.New(breaker.Config{Name: "db", Trip: breaker.Consecutive(1), Cooldown: time.Hour, Observer: o})
	b.Do(context.Background(), fail)
	return b
}

func probingBreaker(o mettle.Observer) *breaker.Breaker {
	b := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Cooldown: time.Second, Probes: 3, Successes: 1000, Observer: o})
	b.Do(context.Background(), fail)
	time.Sleep(time.Second)
	return b
}

// never is a detector that finds nothing wrong.
type never struct{}

func (never) Trips(breaker.Outcome) bool { return false }

func TestBreakerKeepsTheContract(t *testing.T) {
	// byHand makes a breaker that a hand has turned; a forced one is what rejects in all those states.
	byHand := func(trip breaker.Trip, turn func(*breaker.Breaker)) func(mettle.Observer) mettle.Policy {
		return func(o mettle.Observer) mettle.Policy {
			b := breaker.New(breaker.Config{Trip: trip, Observer: o})
			turn(b)
			return b
		}
	}
	forced := byHand(breaker.Trip{}, (*breaker.Breaker).ForceOpen)
	with := func(trip breaker.Trip) mettletest.Config {
		return mettletest.Config{New: byHand(trip, (*breaker.Breaker).Reset), Rejecting: forced}
	}
	for name, c := range map[string]mettletest.Config{
		"window of calls": with(breaker.Rate(breaker.Window{Calls: 50, Failures: 0.9})),
		"window of time":  with(breaker.Rate(breaker.Window{Time: time.Minute})),
		"slow calls":      with(breaker.Rate(breaker.Window{Time: time.Minute, Slow: 0.5, SlowAfter: time.Hour})),
		"custom":          with(breaker.Custom(func() breaker.Detector { return never{} })),
		"disabled":        {New: byHand(breaker.Trip{}, (*breaker.Breaker).Disable), Rejecting: forced},
		"observe-only":    {New: byHand(breaker.Consecutive(1), (*breaker.Breaker).ObserveOnly), Rejecting: forced},
		"closed": {
			New:       func(o mettle.Observer) mettle.Policy { return breaker.New(breaker.Config{Name: "db", Observer: o}) },
			Rejecting: openBreaker,
		},
		"half-open": {
			New: func(o mettle.Observer) mettle.Policy { return probingBreaker(o) },
			Rejecting: func(o mettle.Observer) mettle.Policy {
				b := probingBreaker(o)
				for range 3 {
					b.Acquire(context.Background())
				}
				return b
			},
		},
	} {
		t.Run(name, func(t *testing.T) { mettletest.TestGate(t, c) })
	}
}

func TestBulkheadKeepsTheContract(t *testing.T) {
	for name, config := range map[string]bulkhead.Config{
		"one place":              {Name: "one", Limit: 1},
		"three places":           {Limit: 3},
		"a queue":                {Name: "queued", Limit: 3, Queue: 8, MaxWait: time.Minute},
		"a queue for all":        {Limit: 2, Queue: 1000, MaxWait: time.Minute},
		"more than there are":    {Limit: 1000},
		"last in, first out":     {Name: "newest", Limit: 3, Queue: 8, MaxWait: time.Minute, Order: bulkhead.LIFO},
		"a queue for all, LIFO":  {Limit: 1, Queue: 1000, MaxWait: time.Minute, Order: bulkhead.LIFO},
		"LIFO without any queue": {Limit: 2, Order: bulkhead.LIFO},
	} {
		t.Run(name, func(t *testing.T) {
			testBulkhead(t, config, func(b *bulkhead.Bulkhead) mettle.Policy { return b })
		})
		config.Limit *= 4
		t.Run(name+", heavy calls", func(t *testing.T) {
			testBulkhead(t, config, func(b *bulkhead.Bulkhead) mettle.Policy { return &heavy{b, 4} })
		})
	}
}

func testBulkhead(t *testing.T, config bulkhead.Config, as func(*bulkhead.Bulkhead) mettle.Policy) {
	mettletest.TestGate(t, mettletest.Config{
		New: func(o mettle.Observer) mettle.Policy {
			config.Observer = o
			return as(bulkhead.New(config))
		},
		Rejecting: func(o mettle.Observer) mettle.Policy {
			config.Observer = o
			b := bulkhead.New(config)
			b.AcquireN(context.Background(), config.Limit)
			return as(b)
		},
	})
}

// heavy is a bulkhead for calls that all weigh n.
type heavy struct {
	b *bulkhead.Bulkhead
	n int
}

func (h *heavy) Acquire(ctx context.Context) (mettle.Permit, error) { return h.b.AcquireN(ctx, h.n) }

func (h *heavy) Do(ctx context.Context, fn func(context.Context) error) error {
	permit, err := h.Acquire(ctx)
	if err != nil {
		return err
	}
	defer permit.Done(nil)
	return fn(ctx)
}

func TestRatelimitKeepsTheContract(t *testing.T) {
	for name, config := range map[string]ratelimit.Config{
		"one at a time":       {Name: "api", Rate: 1, Burst: 1},
		"a burst":             {Rate: 10, Burst: 5},
		"a line":              {Name: "queued", Rate: 1, Burst: 3, MaxWait: time.Minute},
		"strict":              {Name: "exact", Rate: 4, Strict: true},
		"a strict line":       {Rate: 3, Per: time.Minute, Strict: true, MaxWait: time.Hour},
		"more than there are": {Rate: 1000, Burst: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			mettletest.TestGate(t, mettletest.Config{
				New: func(o mettle.Observer) mettle.Policy {
					config.Observer = o
					return ratelimit.New(config)
				},
				Rejecting: func(o mettle.Observer) mettle.Policy {
					config := config
					config.Observer, config.Per, config.MaxWait = o, 24*time.Hour*time.Duration(config.Rate), time.Second
					l := ratelimit.New(config)
					for l.Allow() {
					}
					return l
				},
			})
		})
	}
}

func TestStacksKeepTheContract(t *testing.T) {
	mettletest.TestPolicy(t, mettletest.Config{
		New: func(o mettle.Observer) mettle.Policy {
			return mettle.Compose(
				retry.New(retry.Config{Observer: o}),
				breaker.New(breaker.Config{Observer: o}),
				bulkhead.New(bulkhead.Config{Limit: 5, Queue: 4, MaxWait: time.Second, Observer: o}),
				timeout.New(timeout.Config{After: time.Second, Observer: o}),
			)
		},
		Rejecting: func(o mettle.Observer) mettle.Policy {
			return mettle.Compose(retry.New(retry.Config{Observer: o}), openBreaker(o), timeout.After(time.Second))
		},
	})
	t.Run("empty", func(t *testing.T) {
		mettletest.TestPolicy(t, mettletest.Config{New: func(mettle.Observer) mettle.Policy { return mettle.Compose() }})
	})
}

func TestKeyedKeepsTheContract(t *testing.T) {
	full := func(o mettle.Observer) mettle.Policy {
		m := keyed.New(keyed.Config[string]{Name: "hosts", Max: 1, Observer: o, New: func(string) mettle.Policy {
			return bulkhead.New(bulkhead.Config{Limit: 1})
		}})
		m.Acquire(context.Background(), "held for good")
		return m.For("one too many")
	}
	for name, inner := range map[string]func(mettle.Observer) mettle.Policy{
		"retry": func(o mettle.Observer) mettle.Policy { return retry.New(retry.Config{Observer: o}) },
		"timeout": func(o mettle.Observer) mettle.Policy {
			return timeout.New(timeout.Config{After: time.Minute, Observer: o})
		},
		"breaker":  func(o mettle.Observer) mettle.Policy { return breaker.New(breaker.Config{Name: "db", Observer: o}) },
		"bulkhead": func(o mettle.Observer) mettle.Policy { return bulkhead.New(bulkhead.Config{Limit: 3, Observer: o}) },
		"stack": func(o mettle.Observer) mettle.Policy {
			return mettle.Compose(retry.New(retry.Config{Observer: o}), bulkhead.New(bulkhead.Config{Limit: 3, Observer: o}))
		},
	} {
		c := mettletest.Config{Rejecting: full, New: func(o mettle.Observer) mettle.Policy {
			m := keyed.New(keyed.Config[string]{Max: 2, New: func(string) mettle.Policy { return inner(o) }})
			return m.For("a")
		}}
		t.Run(name, func(t *testing.T) { testPolicy(t, c) })
		evicted := c
		evicted.New = func(o mettle.Observer) mettle.Policy {
			m := keyed.New(keyed.Config[string]{Max: 1, New: func(string) mettle.Policy { return inner(o) }})
			a := m.For("a")
			m.For("b").Do(context.Background(), mettletest.Succeed())
			return a
		}
		t.Run(name+", evicted", func(t *testing.T) { testPolicy(t, evicted) })
	}
}
