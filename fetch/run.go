package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/internal/budget"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/core/backoff"
	"github.com/mettle-go/mettle/internal/core/breaker"
)

// How a run can end early.
var (
	// ErrStopped: Config.Stop was closed while there was something left to do, or before the input had ended: there could have been more,
	// even if all that was read is done.
	ErrStopped = errors.New("fetch: stopped")
	// ErrFailures: Config.MaxFailures or Config.MaxFailureShare was reached; a *FailuresError tells more. Perhaps there is nothing left to do.
	ErrFailures = errors.New("fetch: too many failures")
	// ErrTime: Config.MaxTime was over while there was something left to do, or before the input had ended.
	ErrTime = errors.New("fetch: out of time")
	// ErrRead: the input could not be read to its end.
	ErrRead = errors.New("fetch: cannot read the input")
	// ErrWrite: the sink did not take a record, or a body could not be saved, which a *SaveError tells. An error can be ErrWrite besides another
	// one: if the last records could not be written when the run had been ended by something else.
	ErrWrite = errors.New("fetch: cannot write results")
)

// Run fetches every item of src and gives each one record to sink, in the order in which they end. It returns nil when all
// have their record, whether they are ok or failed. It returns an error that is ErrStopped, ErrTime, ErrFailures, ErrRead or ErrWrite, or the cause of ctx,
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
	if j, ok := sink.(*Journal); ok {
		src = j.rest(src, c.Meter)
	}
	f := newRun(c, sink)
	defer f.spill.close()
	if c.Dir != "" {
		var err error
		if f.store, err = openStore(c.Dir); err != nil {
			return Counts{}, fmt.Errorf("%w: %w", ErrWrite, err)
		}
		defer f.store.close()
		defer f.abandon()
	}
	var ended error
	err := group.Run(ctx, func(g *group.Group) error {
		ctx, cancel := context.WithCancel(g.Context())
		defer cancel()
		g.Go(func(context.Context) error { f.read(ctx, src); return nil })
		if f.store != nil {
			for range savers {
				g.Go(func(context.Context) error { f.save(ctx); return nil })
			}
		}
		ended = f.loop(ctx, g)
		return nil
	})
	if ended == nil {
		ended = err
	}
	c.Meter.running.Store(0) // those whose results nobody waited for have ended, too
	c.Meter.resting.Store(0)
	return c.Meter.Counts(), ended
}

// A run is one Run. Its loop owns everything that has no lock of its own.
type run struct {
	cfg     Config
	sink    Sink
	backoff backoff.Schedule
	breaker breaker.Machine
	buffers sync.Pool // of *[]byte
	store   *store    // nil: bodies are not kept
	meter   *Meter

	input   chan arrival
	legs    chan *leg // to the workers; all have room for all that can be in them, so that nobody waits for another one
	results chan *leg
	whole   chan *leg // to those who save bodies, from whom legs come back by results

	in      <-chan arrival // input, until its end
	readErr error          // how the input ended, if not well

	every, hostEvery time.Duration // between starts; 0: no limit
	starts           spacing

	network   outage
	hedges    *budget.Budget
	slow      []*leg // that may want a second request
	hosts     map[string]*host
	claims    map[uint64]*claim // by a hash of the request
	ready     fifo[*host]       // hosts that may have something to start
	alarms    alarms
	pending   int // items in memory
	spill     *spill
	away      int           // items in it
	futile    int           // items read that went there, one after the other
	spillAt   clock.Instant // when to look again for what can go there
	wakeAt    clock.Instant // the same, if that is wanted; else never
	running   int
	saving    int // bodies
	workers   int
	sweepAt   int // the number of hosts
	stopped   bool
	why       error // if stopped
	tally     tally
	unflushed bool
	flushed   clock.Instant
}

// flushEvery bounds how often the sink is asked to write: records that come one by one cost a system call each otherwise.
const flushEvery = 20 * time.Millisecond

// An arrival is what a Source yields.
type arrival struct {
	item Item
	err  error
}

func newRun(c Config, sink Sink) *run {
	f := &run{
		cfg: c, sink: sink, meter: c.Meter,
		backoff: backoff.Schedule{Base: c.Backoff, Factor: 2, Max: c.MaxBackoff, Jitter: backoff.Full},
		every:   interval(c.Rate), hostEvery: interval(c.HostRate),
		hedges:  newHedges(),
		network: outage{park: c.Park, most: c.MaxPark, patience: c.Patience},
		// More failures in a row than one reset connection pool brings.
		breaker: breaker.Machine{
			Trip: breaker.Consecutive(max(16, 2*c.PerHost)), Cooldown: c.Park, MaxCooldown: c.MaxPark, Probes: 1, Successes: 1,
		},
		input:   make(chan arrival, 64),
		legs:    make(chan *leg, c.Concurrency),
		results: make(chan *leg, c.Concurrency+mostSaving),
		whole:   make(chan *leg, c.Concurrency+mostSaving),
		hosts:   make(map[string]*host),
		flushed: clock.Now(),
		spill:   new(spill),
		spillAt: never,
		wakeAt:  never,
		claims:  make(map[uint64]*claim),
	}
	f.in = f.input
	f.buffers.New = func() any { b := make([]byte, 64<<10); return &b }
	return f
}

// read hands the items of src to the loop until the loop wants no more.
func (f *run) read(ctx context.Context, src Source) {
	for it, err := range src(ctx) {
		select {
		case f.input <- arrival{it, err}:
		case <-ctx.Done():
			return
		}
	}
	if ctx.Err() == nil { // else src may have ended because of ctx, and that is not the end of the input
		close(f.input)
	}
}

// loop starts what may start, then waits for something to happen, until nothing is left to do.
func (f *run) loop(ctx context.Context, g *group.Group) (err error) {
	defer func() {
		if ferr := f.sink.Flush(); ferr != nil && !errors.Is(err, ErrWrite) {
			// Whatever ended the run: that results are lost matters more.
			err = errors.Join(fmt.Errorf("%w: %w", ErrWrite, ferr), err)
		}
	}()
	defer close(f.legs)
	defer close(f.whole)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wake := time.NewTimer(0)
	defer wake.Stop()
	// In the place of a timer that is due already, which in a synctest bubble can crash Go's race detector.
	past := make(chan time.Time)
	close(past)
	stop := f.cfg.Stop
	var grace *time.Timer
	var limit chan struct{} // closed when the run's time is over
	if f.cfg.MaxTime > 0 {
		limit = make(chan struct{})
		defer time.AfterFunc(f.cfg.MaxTime, func() { close(limit) }).Stop()
	}
	for {
		select {
		case <-stop: // first of all, so that nothing is started any more
			stop = nil
			f.stop(ErrStopped)
		case <-limit:
			limit = nil
			f.stop(ErrTime)
		default:
		}
		if f.stopped && grace == nil {
			grace = time.AfterFunc(f.cfg.Grace, cancel)
			defer grace.Stop()
		}
		now := clock.Now()
		if err := f.start(ctx, g, now); err != nil {
			return err
		}
		if over, err := f.over(); over {
			return err
		}
		if err := f.flush(now); err != nil {
			return err
		}
		from := f.in
		if full, err := f.full(now); err != nil {
			return err
		} else if full || f.stopped {
			from = nil
		}
		woken := wake.C
		if at, ok := f.due(now); !ok {
			wake.Stop()
		} else if at > now {
			wake.Reset(at.Sub(now))
		} else {
			woken = past
		}
		select {
		case a, ok := <-from:
			err = f.accept(a, ok)
		case l := <-f.results:
			for err = f.end(ctx, l); err == nil && len(f.results) > 0; {
				err = f.end(ctx, <-f.results)
			}
		case <-woken:
		case <-stop:
		case <-limit:
			limit = nil
			f.stop(ErrTime)
		case <-ctx.Done():
			if !f.stopped || g.Context().Err() != nil {
				// The group may not have started what launch gave it, so that there is no result to wait for.
				return context.Cause(g.Context()) // ctx may have been canceled here, without a cause
			}
			// The grace is over: what runs ends by itself, with no record. Not all of it does after a panic.
			select {
			case l := <-f.results:
				err = f.end(ctx, l)
			case <-g.Context().Done():
			}
		}
		if err != nil {
			return err
		}
	}
}

// due returns when something is to be done next, whatever else happens.
func (f *run) due(now clock.Instant) (at clock.Instant, ok bool) {
	if len(f.alarms) > 0 && !f.stopped {
		at, ok = f.alarms[0].at, true
	}
	if f.ready.len > 0 && f.room() && !f.stopped {
		// What start left there waits for the run's rate or for the network.
		if next := f.opens(now); !ok || next < at {
			at, ok = next, true
		}
	}
	if len(f.slow) > 0 && f.room() && !f.stopped {
		// They wait for the hedges' budget or for their host, which time alone may change.
		if next := now.Add(lookEvery); !ok || next < at {
			at, ok = next, true
		}
	}
	if f.wakeAt != never && (!ok || f.wakeAt < at) {
		at, ok = f.wakeAt, true
	}
	if next := f.flushed.Add(flushEvery); f.unflushed && (!ok || next < at) {
		at, ok = next, true
	}
	return at, ok
}

// flush lets the sink write what it kept back, if nothing else is to be done at the moment.
func (f *run) flush(now clock.Instant) error {
	if !f.unflushed || len(f.results) > 0 || now.Sub(f.flushed) < flushEvery {
		return nil
	}
	f.unflushed, f.flushed = false, now
	if err := f.sink.Flush(); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	return nil
}

// work makes the requests that the loop hands out. Workers stay until the run ends: each request in a goroutine of its own would have to grow
// its stack for net/http every time.
func (f *run) work(ctx context.Context) {
	for l := range f.legs {
		f.exchange(ctx, l)
		f.results <- l
	}
}
