package breaker

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/breaker"
)

var errLost = errors.New("lost")

// The Breaker does what its core does in sequential form, which is checked against a plain model there.
func TestLockstepWithTheSequentialMachine(t *testing.T) {
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			lockstep(t, seed)
		})
	}
}

func lockstep(t *testing.T, seed uint64) {
	type call struct {
		token, shadow uint64
		began         clock.Instant
	}
	ctx := context.Background()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	rng := rand.New(rand.NewPCG(seed, 5))
	b := New(Config{
		Trip: []Trip{
			Consecutive(2), Shift(0.1, 0.5, 3), Rate(Window{Calls: 5, Min: 2, Failures: 0.6}),
			Rate(Window{Time: 2 * time.Millisecond, Min: 3, Slow: 0.7, SlowAfter: 100 * time.Microsecond}),
		}[seed%4],
		Cooldown: 100, MaxCooldown: []time.Duration{100, 1000}[seed/36%2],
		Probes: 1 + int(seed/4%3), Successes: 1 + int(seed/12%3),
	})
	s := b.machine.Start(int64(clock.Now()))
	var out []call
	for step := range 300 {
		switch rng.IntN(7) {
		case 0, 1, 2:
			token, _, err := b.AcquireAt(ctx, clock.Unread)
			var a core.Admission
			if s, a = b.machine.Admit(s, int64(clock.Now())); a.Admitted != (err == nil) {
				t.Fatalf("seed %d, step %d: got %v, want admitted %v", seed, step, err, a.Admitted)
			}
			if err == nil {
				out = append(out, call{token, a.Token, clock.Now()})
			}
		case 3, 4:
			if len(out) == 0 {
				continue
			}
			k := rng.IntN(len(out))
			with, err, verdict := ctx, error(nil), mettle.Success
			switch rng.IntN(3) {
			case 0:
				err, verdict = errLost, mettle.Failure
			case 1:
				with, err, verdict = canceled, errLost, mettle.Ignore
			}
			b.Release(with, out[k].token, err)
			slow := b.slowAfter > 0 && verdict != mettle.Ignore && core.StampOf(int64(out[k].began)).Took(int64(clock.Now())) >= b.slowAfter
			r := core.Result{Verdict: verdict, Slow: slow}
			s, _ = b.machine.SettleResult(s, out[k].shadow, r, int64(clock.Now()), 0)
			out = append(out[:k], out[k+1:]...)
		case 5:
			if rng.IntN(8) > 0 {
				continue
			}
			to := []core.Phase{core.Closed, core.ForcedOpen, core.Disabled, core.Observing}[rng.IntN(4)]
			map[core.Phase]func(){core.Closed: b.Reset, core.ForcedOpen: b.ForceOpen, core.Disabled: b.Disable, core.Observing: b.ObserveOnly}[to]()
			s, _ = b.machine.Set(s, to, int64(clock.Now()))
		default:
			time.Sleep(time.Duration(rng.IntN(120)))
			if rng.IntN(4) == 0 { // long enough for a call to be slow
				time.Sleep(time.Duration(rng.IntN(200_000)))
			}
		}
		p := b.current.Load()
		if p.Phase == core.Open && s.Phase == core.Open {
			// The jitter is the one thing that the two draw apart.
			if low := s.Level - s.Level/10; time.Duration(p.Until-p.Since) < low {
				t.Fatalf("seed %d, step %d: open for %d, want %v or more", seed, step, p.Until-p.Since, low)
			}
			s.Until = p.Until
		}
		if (p.window == nil) != (s.Window == nil) {
			t.Fatalf("seed %d, step %d: in %v one has a window, the other has not", seed, step, p.Phase)
		}
		if p.window != nil {
			if got, want := p.window.read(int64(clock.Now())), s.Window.Read(int64(clock.Now())); got != want {
				t.Fatalf("seed %d, step %d: the window holds %+v, want %+v", seed, step, got, want)
			}
		}
		if p.Epoch != s.Epoch || p.word.Load() != s.Word {
			t.Fatalf("seed %d, step %d: %+v with word %x, want %+v with %x", seed, step, p.Epoch, p.word.Load(), s.Epoch, s.Word)
		}
	}
}
