package chaos

import (
	"testing"
	"time"
)

// A model of one host that keeps every instant instead of a state, and looks back through all of
// them for each question.
type holdModel struct {
	grace     time.Duration
	asks      []int // what time each request for /hold met a free host
	holds     []struct{ from, until time.Duration }
	announced map[int]time.Duration // by number of the hold, from 1
}

func (m *holdModel) held(now time.Duration) int {
	for i, h := range m.holds {
		if h.from <= now && now < h.until {
			return i + 1
		}
	}
	return 0
}

func (m *holdModel) violates(now time.Duration) bool {
	n := m.held(now)
	at, ok := m.announced[n]
	return n > 0 && ok && now > at+m.grace
}

// Random requests and announcements, early, late and stale, on a clock that starts before 1970 and
// sometimes stands still: the state and the model agree on each of them.
func FuzzHold(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Add([]byte{0, 0x11, 0x42, 0x83, 0x30, 0x31, 0x12, 0x00, 0xff, 0x73, 0x01, 0x22, 0x02, 0x51, 0x00, 0x01})
	f.Add([]byte{0x01, 0x04, 0x55, 0x03, 0x10, 0x00}) // the first hold's answer arrives during the second
	f.Fuzz(func(t *testing.T, ops []byte) {
		base := time.Unix(-1<<33, 999_999_999)
		const grace = 3
		var h hold
		m := holdModel{grace: grace, announced: make(map[int]time.Duration)}
		var now time.Duration
		var every int64
		for i, op := range ops {
			at := base.Add(now)
			if got, want := h.active(at), m.held(now) > 0; got != want {
				t.Fatalf("op %d at %d: active %v, want %v", i, now, got, want)
			}
			if got, want := h.violatedBy(at, grace), m.violates(now); got != want {
				t.Fatalf("op %d at %d: violated %v, want %v", i, now, got, want)
			}
			arg := time.Duration(op >> 2)
			switch op & 3 {
			case 0:
				now += arg
			case 1: // a request for /hold
				if h.active(at) {
					if a := h.answer(at); a.period != int64(len(m.holds)) || a.retryIn < m.holds[len(m.holds)-1].until-now {
						t.Fatalf("op %d: answer %+v", i, a)
					}
					continue
				}
				every = int64(arg) % 4
				want := len(m.asks) == 0 || every > 0 && len(m.asks)%int(every) == 0
				m.asks = append(m.asks, int(now))
				d := arg + 1
				if got := h.ask(&args{wait: d, every: every, code: 429}, at); got != want {
					t.Fatalf("op %d: ask %d with every=%d: %v, want %v", i, len(m.asks), every, got, want)
				}
				if want {
					m.holds = append(m.holds, struct{ from, until time.Duration }{now, now + d})
				}
			case 2: // the answer of this hold gets through
				n := len(m.holds)
				h.announce(int64(n), at)
				if _, ok := m.announced[n]; n > 0 && !ok {
					m.announced[n] = now
				}
			case 3: // an answer of an earlier hold gets through at last
				if n := len(m.holds) - 1 - int(arg); n > 0 {
					h.announce(int64(n), at)
					if _, ok := m.announced[n]; !ok {
						m.announced[n] = now
					}
				}
			}
		}
	})
}
