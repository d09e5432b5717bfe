package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

// end decides what follows a request.
func (f *run) end(ctx context.Context, l *leg) error {
	t, h := l.task, l.task.host
	f.running--
	h.running--
	f.meter.running.Add(-1)
	defer f.list(h)
	if l.probe {
		defer f.network.probed(l.ended) // unless it brought an answer
	}
	if l.unsent {
		f.hear(h, l.ticket, mettle.Ignore, l.ended)
		f.meter.waiting.Add(1)
		f.enqueue(t)
		return nil
	}
	if l.fatal != nil {
		return fmt.Errorf("%w: %w", ErrWrite, l.fatal)
	}
	if l.err != nil && ctx.Err() != nil {
		// Abandoned, not failed: the item has no record and is still to do.
		f.hear(h, l.ticket, mettle.Ignore, l.ended)
		f.forget(t)
		if !f.stopped {
			return context.Cause(ctx)
		}
		return nil
	}
	spared := f.learn(l)
	f.hear(h, l.ticket, f.verdict(l), l.ended)
	failure := l.failure(f.cfg.MaxHint)
	t.record(l, failure)
	f.meter.bytes.Add(l.bytes)
	f.meter.attempts.Add(int64(l.replays))
	if l.moved != nil && failure == nil {
		f.leave(t)
		t.next = l.moved
		f.meter.waiting.Add(1)
		f.enqueue(f.assign(t, t.next.URL))
		return nil
	}
	f.meter.attempts.Add(1)
	if l.hint > 0 && l.hint <= f.cfg.MaxHint {
		f.hold(h, l.ended, l.hint)
	}
	if (spared || l.progress) && failure != nil {
		t.free++
	}
	if used := t.used(&f.network); failure != nil && used < f.cfg.Attempts && l.again(failure) {
		f.retry(t, l.ended, f.backoff.Wait(max(1, used, t.limited), t.wait, rand.Uint64()))
		return nil
	}
	f.forget(t)
	return f.write(t.final(l, failure))
}

// retry puts t back to its own host, from which redirects may have led away, after the wait.
func (f *run) retry(t *task, now clock.Instant, wait time.Duration) {
	f.leave(t)
	u, _ := url.Parse(t.item.URL) // parsed before, when it was accepted
	f.assign(t, u)
	t.next, t.hops, t.wait = nil, 0, wait
	f.meter.waiting.Add(1)
	f.alarms.set(alarm{at: now.Add(wait), task: t})
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
		f.stop(ErrFailures)
	}
	if r.OK {
		f.meter.ok.Add(1)
	} else {
		f.meter.fail(r.Error.Kind)
	}
	return nil
}
