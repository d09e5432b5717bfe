package breaker

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// A period is the time a breaker spends in one state. All of it but the word, the quiet flag and what the window
// holds is immutable once it is the current one.
//
// It ends in two steps: whoever decides so on the current word seals the word by compare-and-swap, which
// makes that decision unique and the last of the period, and then makes the next period the current one. Who
// meets a sealed word is in between: a breaker that admits everybody still admits him, and his result will be too late to
// count; otherwise he waits a moment for the next period, and is rejected if it does not come.
type period struct {
	core.Epoch
	word  atomic.Uint64
	free  bool        // everybody is admitted, and calls are not timed
	quiet atomic.Bool // everybody is rejected, and it is too early to look at the clock

	window    *guarded              // of Rate, or nil
	detector  Detector              // of Custom, or nil
	rejection *mettle.RejectedError // shared by all that are turned away; nil if nobody can be

	calls, failures, slow uint64 // the breaker's counts when the period began
}

// begin makes the period of e with its first word. It panics where the function given to Custom does.
func (b *Breaker) begin(e core.Epoch, word uint64) *period {
	p := &period{Epoch: e, free: e.Phase.Admits() && !b.timed}
	p.word.Store(word)
	switch e.Phase {
	case core.Closed, core.Observing:
		if b.machine.Rate != nil {
			p.window = &guarded{window: b.machine.Rate.Begin(e.Since)}
		}
		if b.detector != nil {
			if p.detector = b.detector(); p.detector == nil {
				panic("breaker: Config.Trip is Custom of a function that returns nil, want a Detector")
			}
		}
	case core.Open:
		p.rejection = mettle.Reject(kind, b.name, ErrOpen, func() (time.Duration, bool) {
			return p.Left(int64(clock.Now())), true
		})
	case core.HalfOpen, core.ForcedOpen:
		// A probe may return at any moment, and a hand turn the breaker, so nobody knows how long to wait.
		p.rejection = mettle.Reject(kind, b.name, ErrOpen, nil)
		p.quiet.Store(e.Phase == core.ForcedOpen)
	}
	return p
}

// slack is how long before the end of a cooldown callers look at the clock at least. It is more than a timer is
// late on a machine that is busy.
const slack = 50 * time.Millisecond

// hush lets the callers of most of an open period do without the clock: it is half of what rejecting them costs.
// The timer is not what ends the cooldown, it only makes callers look, and that in good time. Nobody stops it. In
// a bubble of testing/synctest it belongs to the bubble that p began in, and dies with it; for that case see
// listen.
func (p *period) hush() {
	cooldown := clock.Instant(p.Until).Sub(clock.Instant(p.Since))
	if early := cooldown - max(cooldown/16, slack); early > 0 {
		p.quiet.Store(true)
		time.AfterFunc(early, func() { p.quiet.Store(false) })
	}
}

// listen ends the quiet of an open period whose timer failed to. A caller in some 64 looks.
func (p *period) listen() {
	if p.Phase == core.Open && int64(clock.Now()) >= p.Until {
		p.quiet.Store(false)
	}
}

// seal ends p if its word is still the one that was decided on.
func (p *period) seal(word uint64) bool { return p.word.CompareAndSwap(word, word|core.Sealed) }

// enter admits or rejects a caller where AcquireAt does not know better.
func (b *Breaker) enter(ctx context.Context, p *period, now clock.Instant) (uint64, clock.Instant, error) {
	now = now.OrNow()
	for {
		if p.Phase.Admits() {
			token, at := b.token(p, now)
			return token, at, nil
		}
		word := p.word.Load()
		if word&core.Sealed != 0 {
			next := b.successor(p)
			if next == nil {
				return 0, now, b.reject(ctx, p, now)
			}
			p = next
			continue
		}
		step := b.machine.Enter(&p.Epoch, word, int64(now))
		switch {
		case !step.Admit:
			return 0, now, b.reject(ctx, p, now)
		case step.Move:
			next := b.next(p, step, now)
			if p.seal(word) {
				b.follow(ctx, p, next, now, nil)
				if b.observer != nil {
					now = clock.Unread // the observer took its time
				}
				token, at := b.token(next, now)
				return token, at, nil
			}
		case p.word.CompareAndSwap(word, step.Word):
			token, at := b.token(p, now)
			return token, at, nil
		}
	}
}

// token returns the token of a call admitted in p at now, and the latest clock reading.
func (b *Breaker) token(p *period, now clock.Instant) (uint64, clock.Instant) {
	if !b.timed {
		return p.Generation, now
	}
	now = now.OrNow()
	return p.Generation&b.generations | uint64(core.StampOf(int64(now)))<<(64-core.StampBits), now
}

// successor returns the period after p, which somebody has sealed and is about to replace, or nil if that takes
// long: whoever sealed it may have lost its processor in between.
func (b *Breaker) successor(p *period) *period {
	for range 2000 {
		if next := b.current.Load(); next != p {
			return next
		}
		runtime.Gosched()
	}
	return nil
}

func (b *Breaker) reject(ctx context.Context, p *period, now clock.Instant) error {
	b.rejections.Add(1)
	if b.observer != nil {
		e := mettle.Event{Kind: mettle.Rejected, Policy: kind, Name: b.name, Err: p.rejection}
		if p.Phase == core.Open {
			e.Wait = p.Left(int64(now))
		}
		b.observer(ctx, e)
	}
	return p.rejection
}

// next makes the period that follows p. The caller has it ready before he seals p, so that others do not meet a
// sealed word for long.
func (b *Breaker) next(p *period, step core.Step, now clock.Instant) *period {
	return b.begin(b.machine.Next(&p.Epoch, step.To, int64(now), rand.Uint64()), step.Word)
}

// follow makes next the current period, after p, which the caller has sealed.
func (b *Breaker) follow(ctx context.Context, p, next *period, now clock.Instant, err error) {
	next.calls = b.calls.Load() // first, so that what is counted in between does not make more failures than calls
	next.failures, next.slow = b.failures.Load(), b.slow.Load()
	if next.Phase == core.Open {
		next.hush()
	}
	b.current.Store(next)
	if next.Phase == core.Open {
		b.openings.Add(1)
	}
	// An observing period follows another only where the detector tripped.
	tripped := p.Phase == core.Closed && next.Phase == core.Open || p.Phase == core.Observing && next.Phase == core.Observing
	if tripped {
		b.trips.Add(1)
	}
	if b.observer != nil && (next.Phase != p.Phase || tripped) {
		b.observer(ctx, mettle.Event{
			Kind: mettle.StateChanged, Policy: kind, Name: b.name, Err: err,
			From: p.Phase.String(), To: next.Phase.String(), After: now.Sub(clock.Instant(p.Since)),
			Calls: since(next.calls, p.calls), Failures: since(next.failures, p.failures),
		})
	}
}
