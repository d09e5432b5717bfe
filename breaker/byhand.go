package breaker

import (
	"context"
	"runtime"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

// ForceOpen makes the breaker reject every call, with ErrOpen and no RetryAfter, until another method turns
// it: no time passes that would end it. Use it to take load off a dependency by hand.
//
// This and the other three methods work from any state and win over whatever the breaker does by itself: calls
// under way run on, and their results are dropped. The observer hears of a change of state in the caller's
// goroutine, with context.Background(). A breaker that is already there stays as it is, without an event. The
// methods never wait for a call.
func (b *Breaker) ForceOpen() { b.turn(core.ForcedOpen) }

// Disable makes the breaker admit every call until another method turns it. Results are counted for Describe
// and cannot trip it.
func (b *Breaker) Disable() { b.turn(core.Disabled) }

// ObserveOnly makes the breaker admit every call and still watch, until another method turns it: use it to
// try a Trip on real traffic. Where it would have opened, the observer hears of a change from "observe-only"
// to "observe-only" with the counts and the error, "trips" of Describe grows, and Trip begins anew.
func (b *Breaker) ObserveOnly() { b.turn(core.Observing) }

// Reset makes the breaker closed, as new: nothing seen, and the cooldown back at its first value. The counts of Describe
// stay. On a closed breaker it forgets what Trip has seen and is no event.
func (b *Breaker) Reset() { b.turn(core.Closed) }

func (b *Breaker) turn(to core.Phase) {
	for {
		p := b.current.Load()
		step := b.machine.Turn(&p.Epoch, p.word.Load(), to)
		if !step.Move {
			return
		}
		now := clock.Now()
		next := b.begin(b.machine.Next(&p.Epoch, step.To, int64(now), 0), step.Word)
		if p.word.Or(core.Sealed)&core.Sealed == 0 {
			b.follow(context.Background(), p, next, now, nil)
			return
		}
		// Somebody else ended p and is about to replace it. He does nothing else in between, so this is short; and
		// giving up, as callers do, is no choice here.
		for b.current.Load() == p {
			runtime.Gosched()
		}
	}
}
