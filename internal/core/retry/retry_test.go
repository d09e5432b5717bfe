package retry

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/mettle-go/mettle/internal/core/backoff"
)

const (
	sec     = time.Second
	forever = time.Duration(math.MaxInt64)
)

func TestDecide(t *testing.T) {
	plan := Plan{Attempts: 3, Backoff: backoff.Schedule{Base: sec, Factor: 2, Max: time.Minute, Jitter: backoff.None}, MaxHint: 5 * time.Minute}
	endless := plan
	endless.Attempts = -1
	instant := plan
	instant.Backoff = backoff.Schedule{}
	for _, c := range []struct {
		name string
		plan Plan
		f    Failure
		wait time.Duration
		stop Stop
	}{
		{"first failure", plan, Failure{N: 1, Left: -1}, sec, Go},
		{"second failure", plan, Failure{N: 2, Left: -1}, 2 * sec, Go},
		{"last attempt", plan, Failure{N: 3, Left: -1}, 0, Attempts},
		{"no limit", endless, Failure{N: 1_000_000, Left: -1}, time.Minute, Go},
		{"permanent", plan, Failure{N: 1, Left: -1, Permanent: true}, 0, Permanent},
		{"permanent in the last attempt", plan, Failure{N: 3, Left: -1, Permanent: true}, 0, Permanent},
		{"hint below the backoff", plan, Failure{N: 2, Left: -1, Hint: sec}, 2 * sec, Go},
		{"hint above the backoff", plan, Failure{N: 1, Left: -1, Hint: 10 * sec}, 10 * sec, Go},
		{"hint with the highest draw", plan, Failure{N: 1, Left: -1, Hint: 10 * sec, HintDraw: math.MaxUint64}, 11 * sec, Go},
		{"backoff above the hint, highest draw", plan, Failure{N: 2, Left: -1, Hint: sec, HintDraw: math.MaxUint64}, 2200 * time.Millisecond, Go},
		{"hint at its limit", plan, Failure{N: 1, Left: -1, Hint: 5 * time.Minute}, 5 * time.Minute, Go},
		{"hint above its limit", plan, Failure{N: 1, Left: -1, Hint: 5*time.Minute + 1}, 0, Hint},
		{"hint in the last attempt", plan, Failure{N: 3, Left: -1, Hint: time.Hour}, 0, Attempts},
		{"negative hint", plan, Failure{N: 1, Left: -1, Hint: -sec, HintDraw: math.MaxUint64}, sec, Go},
		{"deadline after the wait", plan, Failure{N: 1, Left: sec + 1}, sec, Go},
		{"deadline at the end of the wait", plan, Failure{N: 1, Left: sec}, 0, Deadline},
		{"deadline over", plan, Failure{N: 1, Left: 0}, 0, Deadline},
		{"hint beyond the deadline", plan, Failure{N: 1, Left: 5 * sec, Hint: 10 * sec}, 0, Deadline},
		{"no wait passes no deadline", instant, Failure{N: 1, Left: 0}, 0, Go},
	} {
		if wait, stop := c.plan.Decide(c.f); wait != c.wait || stop != c.stop {
			t.Errorf("%s: %v and stop %d, want %v and %d", c.name, wait, stop, c.wait, c.stop)
		}
	}
}

// FuzzSemantics10Decide checks every decision against the rules in big numbers.
func FuzzSemantics10Decide(f *testing.F) {
	hard := []int64{0, 1, -1, int64(sec), math.MaxInt64, math.MinInt64}
	for _, hint := range hard {
		for _, left := range hard {
			f.Add(3, int64(math.MaxInt64), int64(sec), 1e9, int64(math.MaxInt64), 1_000_000, false, hint, left, int64(0), uint64(math.MaxUint64), uint64(math.MaxUint64))
			f.Add(-1, int64(5*time.Minute), int64(0), 0.0, int64(0), 1_000_000, false, hint, left, hint, uint64(1), uint64(math.MaxUint64))
			f.Add(-1, hint, int64(sec), 2.0, int64(-1), 1, true, hint, left, left, uint64(1), uint64(0))
		}
	}
	f.Fuzz(func(t *testing.T, attempts int, maxHint, base int64, factor float64, limit int64, n int, permanent bool, hint, left, waited int64, u, v uint64) {
		for jitter := backoff.Full; jitter <= backoff.Decorrelated; jitter++ {
			p := Plan{
				Attempts: attempts, MaxHint: time.Duration(maxHint),
				Backoff: backoff.Schedule{Base: time.Duration(base), Factor: factor, Max: time.Duration(limit), Jitter: jitter, Ratio: 0.25},
			}
			fail := Failure{N: n, Permanent: permanent, Hint: time.Duration(hint), Left: time.Duration(left), Waited: time.Duration(waited), Draw: u, HintDraw: v}
			wait, stop := p.Decide(fail)
			wantWait, wantStop := slow(p, fail)
			if wait != wantWait || stop != wantStop {
				t.Fatalf("%+v of %+v: %d and stop %d, want %d and %d", p, fail, wait, stop, wantWait, wantStop)
			}
			if wait < 0 || stop != Go && wait != 0 {
				t.Fatalf("%+v of %+v: wait %d with stop %d", p, fail, wait, stop)
			}
		}
	})
}

// slow is the rule of Decide, in numbers that have no end.
func slow(p Plan, f Failure) (time.Duration, Stop) {
	if f.Permanent {
		return 0, Permanent
	}
	if p.Attempts > -1 && f.N >= p.Attempts {
		return 0, Attempts
	}
	if f.Hint > p.MaxHint {
		return 0, Hint
	}
	wait := big.NewInt(int64(p.Backoff.Wait(f.N, f.Waited, f.Draw)))
	if f.Hint > 0 {
		if hint := big.NewInt(int64(f.Hint)); hint.Cmp(wait) > 0 {
			wait = hint
		}
		// One of the tenth's nanoseconds, each as likely: draw·(tenth+1) / 2^64.
		more := new(big.Int).Div(wait, big.NewInt(10))
		more.Add(more, big.NewInt(1)).Mul(more, new(big.Int).SetUint64(f.HintDraw)).Rsh(more, 64)
		wait = new(big.Int).Add(wait, more)
	}
	if !wait.IsInt64() {
		wait = big.NewInt(math.MaxInt64)
	}
	if f.Left >= 0 && wait.Sign() > 0 && wait.Cmp(big.NewInt(int64(f.Left))) >= 0 {
		return 0, Deadline
	}
	return time.Duration(wait.Int64()), Go
}

// Ten thousand clients, sent away by one server for a minute: none is early, and they come back over six seconds.
func TestHintSpreadsTheHerd(t *testing.T) {
	p := Plan{Attempts: 3, MaxHint: forever}
	var slots [6]int
	const clients = 10_000
	for i := range uint64(clients) {
		wait, stop := p.Decide(Failure{N: 1, Left: -1, Hint: time.Minute, HintDraw: i * (math.MaxUint64 / clients)})
		if stop != Go || wait < time.Minute || wait > 66*sec {
			t.Fatalf("wait %v, stop %d, want 1m0s to 1m6s", wait, stop)
		}
		slots[min(int((wait-time.Minute)/sec), 5)]++
	}
	for i, n := range slots {
		if n < clients/6-2 || n > clients/6+2 {
			t.Errorf("%d of %d clients come back in second %d", n, clients, i)
		}
	}
}

func TestDecideByKind(t *testing.T) {
	plain := backoff.Schedule{Base: sec, Factor: 2, Max: time.Minute, Jitter: backoff.None}
	fast := backoff.Schedule{Kind: backoff.Sequence, Steps: []time.Duration{time.Millisecond}, Max: forever, Jitter: backoff.None}
	plan := Plan{Attempts: 3, Backoff: plain, MaxHint: forever, Kinds: []Kind{
		{Attempts: 10, Backoff: &fast}, {Attempts: 2}, {Stop: true}, {Backoff: &fast}, {Attempts: -1},
	}}
	const reset, status, bad, slow, endless = 1, 2, 3, 4, 5
	for _, c := range []struct {
		name  string
		kinds []int // of the failures in order; all but the last are followed by another attempt
		wait  time.Duration
		stop  Stop
	}{
		{"plain", []int{0, 0}, 2 * sec, Go},
		{"plain, used up", []int{0, 0, 0}, 0, Attempts},
		{"own attempts and backoff", []int{reset, reset, reset, reset, reset, reset, reset, reset, reset}, time.Millisecond, Go},
		{"own attempts, used up", []int{reset, reset, reset, reset, reset, reset, reset, reset, reset, reset}, 0, Attempts},
		{"own attempts do not use up those of others", []int{reset, reset, reset, reset, 0, 0}, 2 * sec, Go},
		{"nor others those", []int{0, 0, status}, sec, Go},
		{"two of one kind", []int{status, 0, status}, 0, Attempts},
		{"stop", []int{bad}, 0, Rule},
		{"stop after others", []int{0, reset, bad}, 0, Rule},
		{"own backoff, common attempts", []int{0, slow}, time.Millisecond, Go},
		{"own backoff, common attempts used up", []int{0, slow, slow}, 0, Attempts},
		{"common backoff after own", []int{slow, 0}, 2 * sec, Go},
		{"no limit", []int{endless, endless, endless, endless, endless}, 16 * sec, Go},
	} {
		var run Run
		for round := range 2 { // also after Reset
			for i, kind := range c.kinds {
				wait, stop := plan.Decide(Failure{N: run.Count(&plan, kind), Kind: kind, Left: -1})
				if i == len(c.kinds)-1 {
					if wait != c.wait || stop != c.stop {
						t.Errorf("%s, round %d: %v and stop %d, want %v and %d", c.name, round, wait, stop, c.wait, c.stop)
					}
				} else if stop != Go {
					t.Fatalf("%s: stop %d after failure %d", c.name, stop, i+1)
				}
			}
			run.Reset()
		}
	}
}

func TestDecideBoundsTheElapsedTime(t *testing.T) {
	plan := Plan{Attempts: -1, MaxHint: forever, MaxElapsed: 10 * sec, Backoff: backoff.Schedule{Base: sec, Factor: 1, Max: sec, Jitter: backoff.None}}
	for elapsed, want := range map[time.Duration]Stop{0: Go, 9*sec - 1: Go, 9 * sec: Elapsed, 10 * sec: Elapsed, forever: Elapsed, -sec: Go} {
		if _, stop := plan.Decide(Failure{N: 1, Left: -1, Elapsed: elapsed}); stop != want {
			t.Errorf("after %v: stop %d, want %d", elapsed, stop, want)
		}
	}
	plan.Backoff = backoff.Schedule{}
	if _, stop := plan.Decide(Failure{N: 1, Left: -1, Elapsed: 10 * sec}); stop != Elapsed {
		t.Errorf("without a wait, at the end: stop %d, want %d", stop, Elapsed)
	}
}
