package fetch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/internal/clock"
)

// accept takes an item from the input, or its end.
func (f *run) accept(a arrival, ok bool) error {
	if !ok {
		f.in = nil
		f.meter.ended.Store(true)
		return nil
	}
	if !perItem(a.err) {
		f.in, f.readErr = nil, inputError(a.err)
		return nil
	}
	f.meter.read.Add(1)
	if a.err != nil {
		le, _ := errors.AsType[*LineError](a.err)
		return f.write(invalid(a.item, le.Text, a.err))
	}
	if err := a.item.check(); err != nil {
		return f.write(invalid(a.item, a.item.URL, err))
	}
	f.meter.waiting.Add(1)
	if len(a.item.Mirrors) > 0 {
		t := &task{item: a.item, route: newRoute(a.item)}
		f.futile = 0
		f.pending++
		f.settle(t, clock.Now())
		return nil
	}
	h := f.hostAt(hostIn(a.item.URL))
	if h.away() > 0 {
		return f.send(h, a.item) // behind those that are there
	}
	f.futile = 0
	f.pending++
	f.enqueue(f.assign(&task{item: a.item}, h.name))
	return nil
}

// inputError is what Run says of the error that ended its input.
func inputError(err error) error {
	if _, ok := errors.AsType[*JournalError](err); ok || errors.Is(err, ErrWrite) {
		return err // of the results file, or of what waits in a temporary one
	}
	return fmt.Errorf("%w: %w", ErrRead, err)
}

// perItem reports whether err, which may be nil, leaves the rest of the input readable.
func perItem(err error) bool {
	_, ok := errors.AsType[*LineError](err)
	return err == nil || ok
}

// hostAt returns the host of that name.
func (f *run) hostAt(name string) *host {
	h := f.hosts[name]
	if h == nil {
		name = strings.Clone(name) // which may be a part of a long URL
		h = &host{name: name, breaker: f.breaker.Start(int64(clock.Now()))}
		h.held.at.Store(int64(never))
		f.sweep()
		f.hosts[name] = h
	}
	return h
}

// assign gives t to the host of that name.
func (f *run) assign(t *task, name string) *task {
	t.host = f.hostAt(name)
	t.host.tasks++
	return t
}

// sweep forgets the hosts that nobody waits for and that need not be spared any more, each time their number has doubled: memory follows the
// hosts at hand, not the length of the list.
func (f *run) sweep() {
	if len(f.hosts) < f.sweepAt {
		return
	}
	now := clock.Now()
	for name, h := range f.hosts {
		spared := now < h.held.until() || now < h.starts.next(f.hostEvery) || !h.pace.quiet(now) ||
			h.down && now.Sub(h.downSince) < f.cfg.Patience
		if h.tasks == 0 && h.running == 0 && h.away() == 0 && !h.listed && !h.alarmed && !spared {
			delete(f.hosts, name)
		}
	}
	f.sweepAt = max(256, 2*len(f.hosts))
}

// leave takes t from its host.
func (f *run) leave(t *task) {
	h := t.host
	h.tasks--
	t.host = nil
	if h.away() > 0 { // items that wait for room in memory, and nothing else may be left to remember them
		f.list(h)
	}
}

func (f *run) enqueue(t *task) {
	t.host.push(t)
	f.list(t.host)
}

// list puts h among the hosts to look at.
func (f *run) list(h *host) {
	if !h.listed && (h.queue.len > 0 || h.away() > 0) {
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
		if a.leg != nil {
			f.slow = append(f.slow, a.leg)
			continue
		}
		if t := a.task; t != nil {
			f.requeue(t, now)
			continue
		}
		a.host.alarmed = false
		if a.host.resting {
			a.host.resting = false
			f.meter.resting.Add(-1)
		}
		f.list(a.host)
	}
	f.hedge(ctx, g, now)
	for f.room() && f.ready.len > 0 && f.opens(now) <= now {
		h := f.ready.pop()
		h.listed = false
		f.evacuate(h, now)
		if err := f.fetchBack(h); err != nil {
			return err
		}
		if h.queue.len == 0 {
			continue
		}
		admitted, ok, again := f.admit(h, now)
		if !ok {
			if again = f.sooner(h, again, now); again != never && !h.alarmed {
				h.alarmed = true
				if again.Sub(now) >= worthTelling {
					h.resting = true
					f.meter.resting.Add(1)
				}
				f.alarms.set(alarm{at: again, host: h})
			}
			continue // listed again by that alarm, or by the end of a running request
		}
		t := h.choose(admitted.counted && h.down)
		if err := f.launch(ctx, g, t, admitted, now); err != nil {
			return err
		}
		f.list(h)
	}
	return nil
}

// worthTelling is for how long a host is left alone that counts as resting. Shorter waits are mere spacing.
const worthTelling = time.Second

// opens returns when a request to any host may begin: at once, or when the run's rate or the network allow it.
func (f *run) opens(now clock.Instant) clock.Instant {
	at := f.starts.next(f.every)
	if ok, again := f.network.admits(now); !ok {
		at = max(at, again)
	}
	return at
}

// launch sends t's next request.
func (f *run) launch(ctx context.Context, g *group.Group, t *task, admitted ticket, now clock.Instant) error {
	if !f.claim(t) {
		f.hear(t.host, admitted, mettle.Ignore, now)
		return nil
	}
	f.meter.waiting.Add(-1)
	if t.next == nil {
		req, err := t.item.request(t.url(), f.cfg.Header)
		if err != nil {
			f.hear(t.host, admitted, mettle.Ignore, now)
			f.forget(t)
			return f.write(invalid(t.item, t.item.URL, err))
		}
		t.next = req
	}
	l := &leg{task: t, host: t.host, req: t.next, hops: t.hops, ticket: admitted, trial: admitted.counted && t.host.down}
	if t.route != nil {
		l.place = t.route.at
	}
	if f.hedgeable(t) {
		l.race = &race{began: now, started: time.Now()}
		f.alarms.set(alarm{at: now.Add(f.cfg.Hedge), leg: l})
		f.hedges.Earn()
	}
	f.dispatch(ctx, g, l, now)
	return nil
}

// dispatch gives l, which its host has admitted, to a worker.
func (f *run) dispatch(ctx context.Context, g *group.Group, l *leg, now clock.Instant) {
	h := l.host
	gap := f.gap(h, now)
	f.starts.take(now, f.every)
	h.starts.take(now, gap)
	f.running++
	h.running++
	h.begun++
	f.meter.running.Add(1)
	if f.running > f.workers {
		f.workers++
		g.Go(func(context.Context) error { f.work(ctx); return nil })
	}
	if l.race != nil {
		l.race.running++
	}
	l.begun = h.begun
	l.probe, l.spaced = f.network.begin(now), f.every > 0 || gap > 0
	f.legs <- l
}
