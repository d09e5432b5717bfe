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
	Settle(s State, token uint64, v mettle.Verdict, now int64, draw uint64) (State, Change)
}

// shape is a breaker's configuration for both, the machine and the model.
type shape struct {
	machine Machine
	trips   func([]mettle.Verdict) bool
}

func shapes() []shape {
	shifting, _ := Shift(0.1, 0.5, 4)
	return []shape{
		{Machine{Trip: Consecutive(1), Cooldown: 100, MaxCooldown: 100, Probes: 1, Successes: 1}, consecutive(1)},
		{Machine{Trip: Consecutive(3), Cooldown: 100, MaxCooldown: 1000, Probes: 1, Successes: 3}, consecutive(3)},
		{Machine{Trip: shifting, Cooldown: 50, MaxCooldown: 1 << 40, Probes: 3, Successes: 4}, page(0.1, 0.5, 4)},
	}
}

// check makes operations of the bytes, does them to the subject and to the model, and returns the first difference.
func check(data []byte, with func(*Machine) subject) error {
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
		trips: sh.trips, cooldown: m.Cooldown, max: m.MaxCooldown, probes: m.Probes, successes: m.Successes,
		since: now, period: 1, admitted: map[int]int{},
	}
	type call struct {
		number int
		token  uint64
	}
	var out []call
	sut, s := with(m), m.Start(now)
	for step := 0; len(data) > 0; step++ {
		before := ref.phase
		var what string
		switch op := next(); op % 8 {
		case 0, 1, 2:
			what = "admit"
			var a Admission
			s, a = sut.Admit(s, now)
			number := ref.admit(now)
			if a.Admitted != (number != 0) {
				return fmt.Errorf("step %d, %v at %d: admitted is %v, want %v", step, before, now, a.Admitted, number != 0)
			}
			if a.Change != (Change{before, ref.phase}) {
				return fmt.Errorf("step %d: admit changed %v, want %v to %v", step, a.Change, before, ref.phase)
			}
			if a.Admitted {
				out = append(out, call{number, a.Token})
			}
		case 3, 4:
			if len(out) == 0 {
				continue
			}
			k := next() % len(out)
			v := []mettle.Verdict{mettle.Success, mettle.Failure, mettle.Ignore, mettle.Failure}[op/8%4]
			what = v.String()
			var change Change
			s, change = sut.Settle(s, out[k].token, v, now, uint64(next())<<56|uint64(step))
			ref.settle(out[k].number, v, now)
			out = append(out[:k], out[k+1:]...)
			if change != (Change{before, ref.phase}) {
				return fmt.Errorf("step %d: %v changed %v, want %v to %v", step, v, change, before, ref.phase)
			}
			if before != Open && ref.phase == Open {
				if err := ref.opened(s.Left(now)); err != nil {
					return fmt.Errorf("step %d: %w", step, err)
				}
			}
		case 5:
			now = later(now, time.Duration(next()))
		case 6: // to the very instant, and around it
			if ref.phase != Closed {
				now = later(ref.until, time.Duration(next()%3-1))
			}
		case 7:
			if back := int64(next()); now > starts[4]+back {
				now -= back
			}
		}
		if s.Phase != ref.phase {
			return fmt.Errorf("step %d, after %s: %v, want %v", step, what, s.Phase, ref.phase)
		}
		if ref.phase == Open {
			// The difference may not fit where the clock was moved over half of its range.
			want := time.Duration(0)
			if now < ref.until {
				want = time.Duration(ref.until - max(now, ref.since))
			}
			if got := s.Left(now); got != want {
				return fmt.Errorf("step %d: %v left, want %v", step, got, want)
			}
		}
	}
	return nil
}

func FuzzBreaker(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 300))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := check(data, func(m *Machine) subject { return m }); err != nil {
			t.Error(err)
		}
	})
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(2000) {
		if err := check(random(seed, 300), func(m *Machine) subject { return m }); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
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
