package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/mettle-go/mettle"
)

// end decides what follows a request.
func (f *run) end(ctx context.Context, l *leg) error {
	if l.saved {
		return f.saved(ctx, l)
	}
	t, h := l.task, l.host
	f.running--
	h.running--
	f.meter.running.Add(-1)
	defer f.list(h)
	if l.probe {
		defer f.network.probed(l.ended) // unless it brought an answer
	}
	if l.race != nil {
		if l.race.running--; l.race.running == 0 {
			f.alarms.drop(l.race)
		}
		if l.lost() {
			f.drop(l)
			return nil
		}
	}
	if l.unsent {
		f.hear(h, l.ticket, mettle.Ignore, l.ended)
		if l.contested() {
			l.race.hedged = false
			return nil
		}
		if r := l.race; r != nil && r.failed != nil {
			return f.decide(r.failed, r.spared)
		}
		f.meter.waiting.Add(1)
		f.requeue(t, l.ended)
		return nil
	}
	if l.fatal != nil {
		return f.giveUp(ctx, l.fatal)
	}
	if l.err != nil && ctx.Err() != nil {
		// Abandoned, not failed: the item has no record and is still to do.
		f.hear(h, l.ticket, mettle.Ignore, l.ended)
		if !l.contested() {
			f.forget(t)
		}
		if !f.stopped {
			return context.Cause(ctx)
		}
		return nil
	}
	if l.belated() {
		f.drop(l)
		if l.race.failed != nil {
			return f.decide(l.race.failed, l.race.spared)
		}
		return nil
	}
	spared := f.learn(l)
	if l.trial && f.verdict(l) == mettle.Success {
		h.healing = len(t.attempts) > 0
	}
	f.hear(h, l.ticket, f.verdict(l), l.ended)
	f.meter.attempts.Add(int64(l.replays))
	if l.hint > 0 && l.hint <= f.cfg.MaxHint {
		f.hold(h, l.ended, l.hint)
	}
	if l.contested() {
		l.race.failed, l.race.spared = l, spared
		return nil
	}
	return f.decide(l, spared)
}

// decide makes of a request what it means for its task.
func (f *run) decide(l *leg, spared bool) error {
	t := l.task
	if t.route != nil && !t.open {
		t.turn(l.place)
	}
	if r := l.race; r != nil && r.failed != nil && r.failed != l {
		f.meter.attempts.Add(1)
	}
	if l.doubtful && !spared { // once an attempt, of however many requests
		t.doubt(&f.network, l.streak)
	}
	failure := l.failure(f.cfg.MaxHint)
	t.record(l, failure)
	if l.moved != nil && failure == nil {
		f.leave(t)
		t.next, t.hops = l.moved, l.hops
		f.meter.waiting.Add(1)
		f.enqueue(f.assign(t, hostOf(t.next.URL)))
		return nil
	}
	f.meter.attempts.Add(1)
	if (spared || l.progress) && failure != nil {
		t.free++
	}
	switch {
	case failure == nil && t.part != nil:
		f.handOver(l)
		return nil
	case failure != nil && f.retry(l, failure):
		return nil
	}
	f.forget(t)
	return f.write(t.final(l, failure))
}

// retry lets the task of l, which failed, try again later or elsewhere. It returns false if it may not.
func (f *run) retry(l *leg, failure *Error) bool {
	t := l.task
	used := t.used(&f.network)
	again := used < f.cfg.Attempts && l.again(failure)
	wait := f.backoff.Wait(max(1, used, t.limited), t.wait, rand.Uint64())
	if t.route != nil {
		return f.onward(l, failure, again, wait)
	}
	if !again {
		return false
	}
	f.leave(t)
	f.assign(t, hostIn(t.item.URL)) // from which redirects may have led away
	t.next, t.hops, t.wait = nil, 0, wait
	f.meter.waiting.Add(1)
	f.alarms.set(alarm{at: l.ended.Add(wait), task: t})
	return true
}

// forget drops t, whose turn is over.
func (f *run) forget(t *task) {
	f.release(t)
	f.leave(t)
	f.pending--
}

func (f *run) write(r *Record) error {
	if err := f.sink.Write(r); err != nil {
		return fmt.Errorf("%w: %w", ErrWrite, err)
	}
	f.unflushed = true
	if f.tally.add(r); f.tally.tooMany(f.cfg, shareFrom) {
		f.stop(f.tally.failures())
	}
	if r.OK {
		f.meter.ok.Add(1)
	} else {
		f.meter.fail(r.Error.Kind)
	}
	return nil
}
