package bulkhead

import "testing"

func word(in, waiting uint64) uint64 { return waiting*waiter + in }

func TestEnter(t *testing.T) {
	for _, tc := range []struct {
		limit, queue, in, waiting uint64
		want                      Answer
		wantIn, wantWaiting       uint64
	}{
		{1, 0, 0, 0, Admitted, 1, 0},
		{1, 0, 1, 0, Full, 1, 0},
		{3, 2, 2, 0, Admitted, 3, 0},
		{3, 2, 3, 0, Queued, 3, 1},
		{3, 2, 3, 1, Queued, 3, 2},
		{3, 2, 3, 2, Full, 3, 2},
		{MaxCount, MaxCount, MaxCount - 1, 0, Admitted, MaxCount, 0},
		{MaxCount, MaxCount, MaxCount, 0, Queued, MaxCount, 1},
		{MaxCount, MaxCount, MaxCount, MaxCount - 1, Queued, MaxCount, MaxCount},
		{MaxCount, MaxCount, MaxCount, MaxCount, Full, MaxCount, MaxCount},
		// Nobody passes those who wait, not even where a place seems free.
		{3, 2, 0, 1, Queued, 0, 2},
		{3, 2, 0, 2, Full, 0, 2},
	} {
		m := Machine{Limit: tc.limit, Queue: tc.queue}
		next, got := m.Enter(word(tc.in, tc.waiting))
		if in, waiting := Counts(next); got != tc.want || in != tc.wantIn || waiting != tc.wantWaiting {
			t.Errorf("%+v: %v with %d inside and %d waiting", tc, got, in, waiting)
		}
	}
}

func TestLeave(t *testing.T) {
	for _, tc := range []struct {
		in, waiting, wantIn, wantWaiting uint64
		hand                             bool
	}{
		{1, 0, 0, 0, false},
		{MaxCount, 0, MaxCount - 1, 0, false},
		{1, 1, 1, 1, true},
		{MaxCount, MaxCount, MaxCount, MaxCount, true},
		{0, 0, 0, 0, false}, // a permit given back twice
	} {
		next, hand := Leave(word(tc.in, tc.waiting))
		if in, waiting := Counts(next); hand != tc.hand || in != tc.wantIn || waiting != tc.wantWaiting {
			t.Errorf("%+v: hand is %v with %d inside and %d waiting", tc, hand, in, waiting)
		}
		if !hand {
			continue
		}
		for name, f := range map[string]func(uint64) uint64{"Handed": Handed, "Quit": Quit} {
			if in, waiting := Counts(f(next)); in != tc.in || waiting != tc.waiting-1 {
				t.Errorf("%+v: %s leaves %d inside and %d waiting", tc, name, in, waiting)
			}
		}
	}
}
