package fetch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/core/backoff"
	"github.com/mettle-go/mettle/internal/core/breaker"
	core "github.com/mettle-go/mettle/internal/core/retry"
	"github.com/mettle-go/mettle/timeout"
)

// How a run can end early.
var (
	// ErrStopped: Config.Stop was closed while there was something left to do.
	ErrStopped = errors.New("fetch: stopped")
	// ErrRead: the input could not be read to its end.
	ErrRead = errors.New("fetch: cannot read the input")
	// ErrWrite: the sink did not take a record.
	ErrWrite = errors.New("fetch: cannot write results")
)

// Run fetches every item of src and gives each one record to sink, in the order in which they end. It returns nil when all
// have their record, whether they are ok or failed. It returns an error that is ErrStopped, ErrRead or ErrWrite, or the cause of ctx,
// when items are left: those have no record and are still to do. What was counted is returned in any case.
//
// When ctx ends, running requests are abandoned at once; see Config.Stop for the gentler way. When Run returns, every goroutine that it
// started has ended and every response is closed; idle connections of Config.Transport are the caller's.
func Run(ctx context.Context, c Config, src Source, sink Sink) (Counts, error) {
	if err := c.Validate(); err != nil {
		return Counts{}, err
	}
	c = c.withDefaults()
	if c.Transport == nil {
		t := newTransport(c)
		defer t.CloseIdleConnections()
		c.Transport = t
	}
	f := newRun(c, sink)
	var ended error
	err := group.Run(ctx, func(g *group.Group) error {
		ctx, cancel := context.WithCancel(g.Context())
		defer cancel()
		g.Go(func(context.Context) error { f.read(ctx, src); return nil })
		ended = f.loop(ctx, g)
		return nil
	})
	if ended == nil {
		ended = err
	}
	return c.Meter.Counts(), ended
}

// A run is one Run. Its loop owns everything that has no lock of its own.
type run struct {
	cfg     Config
	sink    Sink
	plan    core.Plan
	timeout *timeout.Policy
	breaker breaker.Machine
	buffers sync.Pool // of *[]byte
	meter   *Meter

	input   chan arrival
	results chan *leg // has room for all that run, so that none waits for the loop

	hosts     map[string]*host
	ready     fifo[*host] // hosts that may have something to start
	alarms    alarms
	pending   int // items in memory
	running   int
	stopped   bool
	unflushed bool
}

// An arrival is what a Source yields.
type arrival struct {
	item Item
	err  error
}

func newRun(c Config, sink Sink) *run {
	f := &run{
		cfg: c, sink: sink, meter: c.Meter,
		plan: core.Plan{Attempts: c.Attempts, Backoff: backoff.Schedule{
			Base: c.Backoff, Factor: 2, Max: c.MaxBackoff, Jitter: backoff.Full,
		}},
		timeout: timeout.New(timeout.Config{Name: "attempt", After: c.Timeout}),
		// More failures in a row than one reset connection pool brings.
		breaker: breaker.Machine{
			Trip: breaker.Consecutive(max(16, 2*c.PerHost)), Cooldown: c.Park, MaxCooldown: c.MaxPark, Probes: 1, Successes: 1,
		},
		input:   make(chan arrival, 64),
		results: make(chan *leg, c.Concurrency),
		hosts:   make(map[string]*host),
	}
	f.buffers.New = func() any { b := make([]byte, 32<<10); return &b }
	return f
}

// read hands the items of src to the loop until the loop wants no more.
func (f *run) read(ctx context.Context, src Source) {
	defer close(f.input)
	for it, err := range src(ctx) {
		select {
		case f.input <- arrival{it, err}:
		case <-ctx.Done():
			return
		}
	}
}

// loop starts what may start, then waits for something to happen, until nothing is left to do.
func (f *run) loop(ctx context.Context, g *group.Group) (err error) {
	defer func() {
		if ferr := f.sink.Flush(); ferr != nil && err == nil {
			err = fmt.Errorf("%w: %w", ErrWrite, ferr)
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wake := time.NewTimer(0)
	defer wake.Stop()
	var (
		input   = f.input
		stop    = f.cfg.Stop
		grace   <-chan time.Time
		readErr error
	)
	for {
		if err := f.start(ctx, g, clock.Now()); err != nil {
			return err
		}
		switch {
		case f.stopped && f.running == 0:
			return ErrStopped
		case input == nil && f.pending == 0:
			return readErr
		}
		if f.unflushed && len(f.results) == 0 {
			f.unflushed = false
			if err := f.sink.Flush(); err != nil {
				return fmt.Errorf("%w: %w", ErrWrite, err)
			}
		}
		from := input
		if f.pending >= f.cfg.Window || f.stopped {
			from = nil
		}
		if len(f.alarms) > 0 && !f.stopped {
			wake.Reset(f.alarms[0].at.Sub(clock.Now()))
		} else {
			wake.Stop()
		}
		select {
		case a, ok := <-from:
			switch {
			case !ok:
				input = nil
				f.meter.ended.Store(true)
			case !perItem(a.err):
				input = nil
				readErr = fmt.Errorf("%w: %w", ErrRead, a.err)
			default:
				err = f.accept(a)
			}
		case l := <-f.results:
			err = f.end(ctx, l)
		case <-wake.C:
		case <-stop:
			stop, f.stopped = nil, true
			grace = time.After(f.cfg.Grace)
		case <-grace:
			cancel()
		case <-ctx.Done():
			if !f.stopped || g.Context().Err() != nil {
				// The group may not have started what launch gave it, so that there is no result to wait for.
				return context.Cause(ctx)
			}
			// The grace is over: what runs ends by itself, with no record.
			l := <-f.results
			err = f.end(ctx, l)
		}
		if err != nil {
			return err
		}
	}
}

func perItem(err error) bool {
	_, ok := errors.AsType[*LineError](err)
	return err == nil || ok
}

// accept takes an item from the input.
func (f *run) accept(a arrival) error {
	f.meter.read.Add(1)
	if a.err != nil {
		le, _ := errors.AsType[*LineError](a.err)
		return f.write(invalid(a.item, le.Text, a.err))
	}
	u, err := url.Parse(a.item.URL)
	if err != nil {
		return f.write(invalid(a.item, a.item.URL, err))
	}
	f.pending++
	f.meter.waiting.Add(1)
	f.enqueue(f.assign(&task{item: a.item}, u))
	return nil
}

// assign gives t to the host of u.
func (f *run) assign(t *task, u *url.URL) *task {
	name := hostOf(u)
	h := f.hosts[name]
	if h == nil {
		h = &host{name: name, breaker: f.breaker.Start(int64(clock.Now()))}
		h.held.at.Store(int64(never))
		f.hosts[name] = h
	}
	t.host = h
	h.tasks++
	return t
}

// leave takes t from its host.
func (f *run) leave(t *task, now clock.Instant) {
	h := t.host
	t.host = nil
	h.tasks--
	if f.forgettable(h, now) {
		delete(f.hosts, h.name)
	}
}

func (f *run) enqueue(t *task) {
	t.host.queue.push(t)
	f.list(t.host)
}

// list puts h among the hosts to look at.
func (f *run) list(h *host) {
	if !h.listed && h.queue.len > 0 {
		h.listed = true
		f.ready.push(h)
	}
}

// start starts all that may start, one request a host in turn, so that a host with many items does not hold up
// the others.
func (f *run) start(ctx context.Context, g *group.Group, now clock.Instant) error {
	if f.stopped {
		return nil
	}
	for a, ok := f.alarms.next(now); ok; a, ok = f.alarms.next(now) {
		if a.task != nil {
			f.enqueue(a.task)
			continue
		}
		a.host.alarmed = false
		f.meter.resting.Add(-1)
		f.list(a.host)
	}
	for f.running < f.cfg.Concurrency && f.ready.len > 0 {
		h := f.ready.pop()
		h.listed = false
		if h.queue.len == 0 {
			continue
		}
		admitted, ok, again := f.admit(h, now)
		if !ok {
			if again != never && !h.alarmed {
				h.alarmed = true
				f.meter.resting.Add(1)
				f.alarms.set(alarm{at: again, host: h})
			}
			continue // listed again by that alarm, or by the end of a running request
		}
		if err := f.launch(ctx, g, h.queue.pop(), admitted, now); err != nil {
			return err
		}
		f.list(h)
	}
	return nil
}

// launch sends t's next request.
func (f *run) launch(ctx context.Context, g *group.Group, t *task, admitted ticket, now clock.Instant) error {
	f.meter.waiting.Add(-1)
	if t.next == nil {
		req, err := t.item.request(f.cfg.Header)
		if err != nil {
			f.hear(t.host, admitted, mettle.Ignore, now)
			f.forget(t, now)
			return f.write(invalid(t.item, t.item.URL, err))
		}
		t.next = req
	}
	f.running++
	t.host.running++
	f.meter.running.Add(1)
	l := &leg{task: t, ticket: admitted}
	g.Go(func(context.Context) error {
		f.exchange(ctx, l)
		f.results <- l
		return nil
	})
	return nil
}

// end decides what follows a request.
func (f *run) end(ctx context.Context, l *leg) error {
	t, h := l.task, l.task.host
	f.running--
	h.running--
	f.meter.running.Add(-1)
	defer f.list(h)
	if l.unsent {
		f.hear(h, l.ticket, mettle.Ignore, l.ended)
		f.meter.waiting.Add(1)
		f.enqueue(t)
		return nil
	}
	if l.err != nil && ctx.Err() != nil {
		// Abandoned, not failed: the item has no record and is still to do.
		f.hear(h, l.ticket, mettle.Ignore, l.ended)
		f.forget(t, l.ended)
		return nil
	}
	f.hear(h, l.ticket, l.verdict(), l.ended)
	failure := l.failure(f.cfg.MaxHint)
	t.record(l, failure)
	f.meter.bytes.Add(l.bytes)
	f.meter.attempts.Add(int64(l.replays.Load()))
	if l.moved != nil && failure == nil {
		f.leave(t, l.ended)
		t.next = l.moved
		f.meter.waiting.Add(1)
		f.enqueue(f.assign(t, t.next.URL))
		return nil
	}
	f.meter.attempts.Add(1)
	if l.hint > 0 && l.hint <= f.cfg.MaxHint {
		f.hold(h, l.ended, l.hint)
	}
	if failure != nil && l.again(failure) {
		wait, stop := f.plan.Decide(core.Failure{
			N: len(t.attempts), Left: -1, Waited: t.wait, Draw: rand.Uint64(),
		})
		if stop == core.Go {
			f.retry(t, l.ended, wait)
			return nil
		}
	}
	f.forget(t, l.ended)
	return f.write(t.final(l, failure))
}

// retry puts t back to its own host, from which redirects may have led away, after the wait.
func (f *run) retry(t *task, now clock.Instant, wait time.Duration) {
	f.leave(t, now)
	u, _ := url.Parse(t.item.URL) // parsed before, when it was accepted
	f.assign(t, u)
	t.next, t.hops, t.wait = nil, 0, wait
	f.meter.waiting.Add(1)
	f.alarms.set(alarm{at: now.Add(wait), task: t})
}

// forget drops t, whose turn is over.
func (f *run) forget(t *task, now clock.Instant) {
	f.leave(t, now)
	f.pending--
}

func (f *run) write(r *Record) error {
	if err := f.sink.Write(r); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	f.unflushed = true
	if r.OK {
		f.meter.ok.Add(1)
	} else {
		f.meter.fail(r.Error.Kind)
	}
	return nil
}
