package bulkhead

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
	"github.com/mettle-go/mettle/internal/waitq"
)

// mutant is a bulkhead with bugs planted in those steps that are not nil.
type mutant struct {
	*Bulkhead
	entering func(b *Bulkhead, ctx context.Context, n int64) (done bool, err error)
	lining   func(b *Bulkhead, n int64) *waiter
	ending   func(b *Bulkhead, ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) (done bool, err error)
	leaving  func(b *Bulkhead, n int64)
	resizing func(b *Bulkhead, n int64)
}

func (m mutant) state() *Bulkhead { return m.Bulkhead }

func (m mutant) enter(ctx context.Context, now clock.Instant, n int64) (clock.Instant, error) {
	if m.entering != nil {
		if done, err := m.entering(m.Bulkhead, ctx, n); done {
			return now, err
		}
	}
	return m.Bulkhead.enter(ctx, now, n)
}

func (m mutant) line(n int64, ended bool) (*waiter, core.Answer) {
	if m.lining != nil {
		if w := m.lining(m.Bulkhead, n); w != nil {
			return w, core.Queued
		}
	}
	return m.Bulkhead.line(n, ended)
}

func (m mutant) waitedFor(ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) error {
	if m.ending != nil {
		if done, err := m.ending(m.Bulkhead, ctx, w, n, outcome); done {
			return err
		}
	}
	return m.Bulkhead.waitedFor(ctx, w, n, outcome)
}

func (m mutant) leave(n int64) {
	if m.leaving != nil {
		m.leaving(m.Bulkhead, n)
		return
	}
	m.Bulkhead.leave(n)
}

func (m mutant) resize(n int64) {
	if m.resizing != nil {
		m.resizing(m.Bulkhead, n)
		return
	}
	m.Bulkhead.resize(n)
}

// one lets in one waiter at most.
func one(b *Bulkhead) {
	var out batch
	b.mu.Lock()
	if w := b.next(); w != nil {
		if next, ok := core.Grant(b.word.Load(), w.Value); ok {
			b.word.Store(next)
			b.queue.Grant(w, &out)
		}
	}
	b.mu.Unlock()
	out.Wake()
}

// The bugs planted here are those that bulkheads of this world have had, and those that this one could have.
var mutants = map[string]func(*mutant){
	"a light call passes the queue": func(m *mutant) {
		m.entering = func(b *Bulkhead, _ context.Context, n int64) (bool, error) {
			free, _ := core.Counts(b.word.Load())
			if free >= n {
				b.word.Add(-n)
			}
			return free >= n, nil
		}
	},
	"a call heavier than the limit waits for ever": func(m *mutant) {
		m.lining = func(b *Bulkhead, n int64) *waiter {
			if n <= b.limit.Load() {
				return nil
			}
			b.word.Add(-core.Gone)
			return b.queue.Push(n)
		}
		m.entering = func(b *Bulkhead, ctx context.Context, n int64) (bool, error) {
			return n > b.limit.Load(), ctx.Err()
		}
	},
	"an ended context is turned away from a free place": func(m *mutant) {
		m.entering = func(_ *Bulkhead, ctx context.Context, _ int64) (bool, error) { return ctx.Err() != nil, ctx.Err() }
	},
	"the newest waiter is evicted": func(m *mutant) {
		m.lining = func(b *Bulkhead, n int64) *waiter {
			free, waiting := core.Counts(b.word.Load())
			if !b.machine.LIFO || waiting < b.machine.Queue || waiting == 0 || free >= n || n > b.limit.Load() {
				return nil
			}
			var out batch
			b.queue.Dismiss(b.queue.Back(), &out)
			out.Wake()
			return b.queue.Push(n)
		}
	},
	"a waiter who gave up is still counted": func(m *mutant) {
		m.ending = func(b *Bulkhead, ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) (bool, error) {
			err := b.waitedFor(ctx, w, n, outcome)
			if told(err) == ended {
				b.word.Add(-core.Gone)
			}
			return true, err
		}
	},
	"who stood behind one who gave up is not looked at": func(m *mutant) {
		m.ending = func(b *Bulkhead, ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) (bool, error) {
			if outcome != waitq.Ended || !b.queue.Remove(w) {
				return false, nil
			}
			b.word.Add(core.Gone)
			return true, ctx.Err()
		}
	},
	"a place granted to one who gave up is lost": func(m *mutant) {
		m.ending = func(b *Bulkhead, ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) (bool, error) {
			if outcome != waitq.Ended {
				return false, nil
			}
			b.quit(w, outcome)
			return true, ctx.Err()
		}
	},
	"a place granted at the last moment is lost": func(m *mutant) {
		m.ending = func(b *Bulkhead, _ context.Context, w *waiter, _ int64, outcome waitq.Outcome) (bool, error) {
			if outcome != waitq.Late {
				return false, nil
			}
			if b.quit(w, outcome) == waitq.Dismissed {
				return true, b.full
			}
			return true, b.late
		}
	},
	"places come free and nobody is woken": func(m *mutant) {
		m.leaving = func(b *Bulkhead, n int64) { b.word.Add(n) }
	},
	"places for many wake one": func(m *mutant) {
		m.leaving = func(b *Bulkhead, n int64) {
			b.word.Add(n)
			one(b)
		}
	},
	"one place comes back, whatever the weight": func(m *mutant) {
		m.leaving = func(b *Bulkhead, _ int64) { b.leave(1) }
	},
	"a higher limit lets nobody in": func(m *mutant) {
		m.resizing = func(b *Bulkhead, n int64) {
			if n < b.limit.Load() {
				b.resize(n)
				return
			}
			b.word.Add(n - b.limit.Swap(n))
		}
	},
	"a higher limit lets one in": func(m *mutant) {
		m.resizing = func(b *Bulkhead, n int64) {
			if n < b.limit.Load() {
				b.resize(n)
				return
			}
			b.word.Add(n - b.limit.Swap(n))
			one(b)
		}
	},
	"a lower limit leaves those in the queue who can never run": func(m *mutant) {
		m.resizing = func(b *Bulkhead, n int64) {
			if n > b.limit.Load() {
				b.resize(n)
				return
			}
			b.word.Add(n - b.limit.Swap(n))
		}
	},
	"who stood behind one turned away by a lower limit is not looked at": func(m *mutant) {
		m.resizing = func(b *Bulkhead, n int64) {
			if n > b.limit.Load() {
				b.resize(n)
				return
			}
			var out batch
			b.word.Add(n - b.limit.Swap(n))
			b.dismiss(n, &out)
			out.Wake()
		}
	},
	"a lower limit forgets those inside": func(m *mutant) {
		m.resizing = func(b *Bulkhead, n int64) {
			b.resize(n)
			if free, _ := core.Counts(b.word.Load()); free < 0 {
				b.word.Add(-free)
			}
		}
	},
}

// misread makes another configuration than what was asked for.
var misread = map[string]func(*Config){
	"one more than the limit": func(c *Config) { c.Limit++ },
	"a queue without bound":   func(c *Config) { c.Queue = 1000 },
	"the other order":         func(c *Config) { c.Order = 1 - c.Order },
	"nobody is ever late":     func(c *Config) { c.MaxWait = 0 },
}

func TestPlantedBugsAreCaught(t *testing.T) {
	planted := map[string]func(Config) steps{}
	for name, plant := range mutants {
		planted[name] = func(c Config) steps {
			m := mutant{Bulkhead: New(c)}
			plant(&m)
			return m
		}
	}
	for name, change := range misread {
		planted[name] = func(c Config) steps {
			change(&c)
			return real{New(c)}
		}
	}
	for name, with := range planted {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5000) {
				caught := false
				synctest.Test(t, func(t *testing.T) {
					if name == "nobody is ever late" { // there is no time in lockstep
						caught = check(random(seed, 400), with) != nil
						return
					}
					_, err := lockstep(random(seed, 400), with)
					caught = err != nil
				})
				if caught {
					return
				}
			}
			t.Error("5000 random runs do not show the bug")
		})
	}
}
