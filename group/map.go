package group

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mettle-go/mettle"
)

// Map calls fn for each item, at most cfg.Limit at a time (8 if that is 0), and returns the results in the order
// of the items.
//
// The slice always has one result an item; that of an item that did not succeed is the zero value of R. The error is
// nil if every item succeeded, or else a *Error, which holds a *ItemError for each failure and tells by Item how each
// item ended. With MaxFailures -1 every item is tried, unless ctx ends or fn panics.
//
// Map returns when all calls have ended. The calls of fn run in goroutines of Map's, min(Limit, len(items)) of them,
// and all get the same context. Items are started in order. If ctx has ended already, none is. Map panics if
// cfg.Validate has an error, cfg.Unordered is set or fn is nil.
//
// Map allocates for the results and for each of its goroutines, but not for each item, except what fn, a failure or
// cfg.Policy does.
func Map[T, R any](ctx context.Context, items []T, cfg Config, fn func(context.Context, T) (R, error)) ([]R, error) {
	cfg.mustBeValid()
	cfg.mustBeOrdered("Map")
	if fn == nil {
		panic("group: Map: fn is nil, want a function")
	}
	if cfg.Policy != nil {
		fn = mettle.Wrap(cfg.Policy, fn)
	}
	m := &mapping[T, R]{fn: fn, items: items, results: make([]R, len(items))}
	return m.results, m.run(ctx, cfg).Err()
}

// tally is the part of a mapping that does not depend on its types.
type tally struct {
	scope
	workers  sync.WaitGroup
	cut      []*ItemError // canceled items; guarded by scope.mu
	settles  bool         // a panic is a failure like any other
	panicked atomic.Bool  // a call did

	_    [64]byte // workers fight for next; keep what they only read off its cache line
	next atomic.Int64
	_    [64]byte
}

// mapping is one call of Map.
type mapping[T, R any] struct {
	tally
	fn      func(context.Context, T) (R, error)
	items   []T
	results []R
}

// run calls fn for the items, as the Config says but for its Policy, which is around fn already.
func (m *mapping[T, R]) run(ctx context.Context, cfg Config) *Error {
	if len(m.items) == 0 {
		return nil
	}
	m.open(ctx, cfg)
	if m.meter != nil {
		m.meter.total = len(m.items)
	}
	for range min(cfg.limitOfItems(), len(m.items)) {
		m.workers.Add(1)
		go m.work() // not WaitGroup.Go, which recovers
	}
	m.workers.Wait()
	return m.close(len(m.items))
}

// work runs items until none is left or the scope is canceled.
func (m *mapping[T, R]) work() {
	for m.some() {
	}
	m.workers.Done() // not deferred: in a scope that crashes, Map must not return ahead of the crash
}

// some is work up to the first call that does not return. It reports whether there may be more to do.
//
// One deferred function guards the calls for all items, so that an item costs none.
func (m *mapping[T, R]) some() (more bool) {
	i, done, returned := 0, 0, false
	defer func() {
		if returned {
			m.did(done)
			return
		}
		how, err := failed, ErrGoexit
		if !m.crash {
			how, err = unwound(recover())
		} else if panicking() {
			return
		}
		exits := how == failed
		if !exits {
			m.panicked.Store(true)
		}
		if m.settles {
			how = failed
		}
		m.count(how)
		m.missed(i, how, err)
		m.did(done)
		more = true
		if exits {
			go m.work() // in place of this goroutine, which ends
		}
	}()
	for m.ctx.Err() == nil {
		if i = int(m.next.Add(1)) - 1; i >= len(m.items) {
			break
		}
		v, err := m.fn(m.ctx, m.items[i])
		if err != nil {
			how := m.judge(err)
			m.tell(how)
			m.missed(i, how, err)
			continue
		}
		m.tell(succeeded)
		m.results[i] = v
		done++
	}
	returned = true
	return false
}

// did accounts for n items that succeeded.
func (t *tally) did(n int) {
	t.mu.Lock()
	t.succeeded += n
	t.mu.Unlock()
}

// missed accounts for an item that did not succeed.
func (t *tally) missed(i int, how ending, err error) {
	e := &ItemError{Index: i, Err: err}
	if how == canceled {
		t.mu.Lock()
		t.cut = append(t.cut, e)
		t.mu.Unlock()
	}
	t.add(how, e)
}

// close ends the scope of a Map over n items and returns its error, or nil if each item succeeded.
func (t *tally) close(n int) *Error {
	started := min(int(t.next.Load()), n) // workers that find nothing left go beyond n
	t.notStarted = n - started
	e := t.scope.close()
	if e == nil {
		return nil
	}
	slices.SortFunc(e.Failures, func(a, b error) int { return a.(*ItemError).Index - b.(*ItemError).Index })
	e.missed = append(make([]*ItemError, 0, len(t.cut)+len(e.Failures)), t.cut...)
	for _, err := range e.Failures {
		e.missed = append(e.missed, err.(*ItemError))
	}
	slices.SortFunc(e.missed, func(a, b *ItemError) int { return a.Index - b.Index })
	e.items, e.started = n, started
	e.ran = e.Succeeded > 0 || slices.ContainsFunc(e.missed, func(m *ItemError) bool {
		return !errors.Is(m.Err, mettle.ErrRejected)
	})
	return e
}
