package breaker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

// subject is the breaker under test: the machine, or a copy of it with a bug planted.
type subject interface {
	Admit(s State, now int64) (State, Admission)
	SettleResult(s State, token uint64, r Result, now int64, draw uint64) (State, Change)
	Set(s State, to Phase, now int64) (State, Change)
}

// shape is a breaker's configuration for both, the machine and the model.
type shape struct {
	name    string
	machine Machine
	trips   func([]record) bool
}

func shapes() []shape {
	shifting, _ := Shift(0.1, 0.5, 4)
	calls := Rate{Calls: 7, Min: 3, Failures: 0.6, Slow: 0.8}
	long := Rate{Calls: 70, Min: 5, Failures: 0.8} // more than a word of bits
	short := Rate{Time: 1600, Min: 3, Failures: 0.5}
	slow := Rate{Time: 320, Min: 2, Failures: 1, Slow: 0.5}
	return []shape{
		{"first failure", Machine{Trip: Consecutive(1), Cooldown: 100, MaxCooldown: 100, Probes: 1, Successes: 1}, consecutive(1)},
		{"consecutive", Machine{Trip: Consecutive(3), Cooldown: 100, MaxCooldown: 1000, Probes: 1, Successes: 3}, consecutive(3)},
		{"shift", Machine{Trip: shifting, Cooldown: 50, MaxCooldown: 1 << 40, Probes: 3, Successes: 4}, page(0.1, 0.5, 4)},
		{"calls", Machine{Rate: &calls, Cooldown: 100, MaxCooldown: 1000, Probes: 2, Successes: 2}, windowed(calls)},
		{"many calls", Machine{Rate: &long, Cooldown: 10, MaxCooldown: 10, Probes: 1, Successes: 1}, windowed(long)},
		{"time", Machine{Rate: &short, Cooldown: 100, MaxCooldown: 100, Probes: 1, Successes: 2}, windowed(short)},
		{"time, slow calls", Machine{Rate: &slow, Cooldown: 30, MaxCooldown: 1 << 40, Probes: 3, Successes: 2}, windowed(slow)},
	}
}

// check makes operations of the bytes, does them to the subject and to the model, and returns how many, and the first difference.
func check(data []byte, with func(*Machine) subject) (steps int, err error) {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	all := shapes()
	sh := all[next()%len(all)]
	now := starts[next()%len(starts)]
	m := &sh.machine
	ref := &model{
		trips: sh.trips, slowCounts: m.Rate != nil && m.Rate.Slow > 0,
		cooldown: m.Cooldown, max: m.MaxCooldown, probes: m.Probes, successes: m.Successes,
		level: m.Cooldown, since: now, period: 1, admitted: map[int]int{},
	}
	type call struct {
		number int
		token  uint64
	}
	var out []call
	sut, s := with(m), m.Start(now)
	for step := 0; len(data) > 0; step++ {
		steps++
		before, tripped, generation := ref.phase, ref.tripped, s.Generation
		var what string
		switch op := next(); op % 8 {
		case 0, 1, 2:
			what = "admit"
			var a Admission
			s, a = sut.Admit(s, now)
			number := ref.admit(now)
			if a.Admitted != (number != 0) {
				return steps, fmt.Errorf("step %d, %v at %d: admitted is %v, want %v", step, before, now, a.Admitted, number != 0)
			}
			if a.Change != (Change{before, ref.phase}) {
				return steps, fmt.Errorf("step %d: admit changed %v, want %v to %v", step, a.Change, before, ref.phase)
			}
			if a.Admitted {
				out = append(out, call{number, a.Token})
			}
		case 3, 4:
			if len(out) == 0 {
				continue
			}
			k := next() % len(out)
			r := Result{Verdict: []mettle.Verdict{mettle.Success, mettle.Failure, mettle.Ignore, mettle.Failure}[op/8%4]}
			r.Slow = op/32%2 == 1 && r.Verdict != mettle.Ignore && ref.slowCounts
			what = r.Verdict.String()
			var change Change
			s, change = sut.SettleResult(s, out[k].token, r, now, uint64(next())<<56|uint64(step))
			ref.settle(out[k].number, r.Verdict, r.Slow, now)
			out = append(out[:k], out[k+1:]...)
			if change != (Change{before, ref.phase}) {
				return steps, fmt.Errorf("step %d: %+v changed %v, want %v to %v", step, r, change, before, ref.phase)
			}
			if before != Open && ref.phase == Open {
				if err := ref.opened(s.Left(now)); err != nil {
					return steps, fmt.Errorf("step %d: %w", step, err)
				}
			}
			if ref.tripped != tripped && s.Generation == generation {
				return steps, fmt.Errorf("step %d: a trip while observing begins no new period", step)
			}
		case 5:
			now = later(now, time.Duration(next()))
		case 6: // to the very instant, and around it
			if ref.phase != Closed {
				now = later(ref.until, time.Duration(next()%3-1))
			}
		case 7:
			back := next()
			if op >= 64 { // a quarter of the time by hand, or the others would have no time to happen
				if back := int64(back); now > starts[4]+back {
					now -= back
				}
				break
			}
			to := []Phase{Closed, Closed, ForcedOpen, Disabled, Observing, Observing}[back%6]
			what = "set to " + to.String()
			var change Change
			s, change = sut.Set(s, to, now)
			ref.set(to, now)
			if change != (Change{before, to}) {
				return steps, fmt.Errorf("step %d: set changed %v, want %v to %v", step, change, before, to)
			}
		}
		if s.Phase != ref.phase {
			return steps, fmt.Errorf("step %d, after %s: %v, want %v", step, what, s.Phase, ref.phase)
		}
		if ref.phase == Open {
			// The difference may not fit where the clock was moved over half of its range.
			want := time.Duration(0)
			if now < ref.until {
				want = time.Duration(ref.until - max(now, ref.since))
			}
			if got := s.Left(now); got != want {
				return steps, fmt.Errorf("step %d: %v left, want %v", step, got, want)
			}
		}
		if s.Window != nil {
			passed := uint64(0)
			if n := len(ref.results); n > 0 {
				passed = ref.results[n-1].passed
			}
			// As of the last result: the model does not know of readings in between, which a clock that goes back would make matter.
			if got, want := s.Window.Read(int64(uint64(ref.since)+passed)), inWindow(*m.Rate, ref.results, passed); got != want {
				return steps, fmt.Errorf("step %d: the window holds %+v, want %+v", step, got, want)
			}
		}
	}
	return steps, nil
}

func FuzzBreaker(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 300))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := check(data, func(m *Machine) subject { return m }); err != nil {
			t.Error(err)
		}
	})
}

// A million operations of each detector; a tenth of that with the race detector, for which there is nothing here to find.
func TestRandomOperations(t *testing.T) {
	want := 1_000_000
	if raceEnabled || testing.Short() {
		want /= 10
	}
	for i, sh := range shapes() {
		t.Run(sh.name, func(t *testing.T) {
			t.Parallel()
			done := 0
			for seed := uint64(0); done < want; seed++ {
				data := random(seed, 600)
				data[0] = byte(i)
				steps, err := check(data, func(m *Machine) subject { return m })
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				done += steps
			}
		})
	}
}

func random(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 99))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}
