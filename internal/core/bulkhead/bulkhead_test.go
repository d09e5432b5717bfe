package bulkhead

import "testing"

func word(free, waiting int64) int64 { return free - waiting*Gone }

// A word holds any two counts, and adding to one of them leaves the other alone.
func TestCounts(t *testing.T) {
	for _, free := range []int64{-MaxCount + 1, -MaxCount / 2, -1, 0, 1, 5, MaxCount - 1, MaxCount} {
		for _, waiting := range []int64{0, 1, 2, MaxCount - 1, MaxCount} {
			if f, w := Counts(word(free, waiting)); f != free || w != waiting {
				t.Errorf("%d free and %d waiting are read as %d and %d", free, waiting, f, w)
			}
			if f, w := Counts(word(free, waiting) - free + 7); f != 7 || w != waiting {
				t.Errorf("from %d free to 7, with %d waiting: %d and %d", free, waiting, f, w)
			}
			if waiting == 0 {
				continue
			}
			if f, w := Counts(word(free, waiting) + Gone); f != free || w != waiting-1 {
				t.Errorf("one of %d waiting is gone, with %d free: %d and %d", waiting, free, w, f)
			}
		}
	}
}

func TestEnter(t *testing.T) {
	for _, tc := range []struct {
		queue, free, waiting, n int64
		fifo, lifo              Answer
		fifoFree, fifoWaiting   int64
		lifoFree, lifoWaiting   int64
	}{
		{0, 1, 0, 1, Admitted, Admitted, 0, 0, 0, 0},
		{0, 0, 0, 1, Full, Full, 0, 0, 0, 0},
		{0, 5, 0, 5, Admitted, Admitted, 0, 0, 0, 0},
		{0, 5, 0, 6, Full, Full, 5, 0, 5, 0},
		{2, 0, 0, 1, Queued, Queued, 0, 1, 0, 1},
		{2, 0, 1, 1, Queued, Queued, 0, 2, 0, 2},
		{2, 0, 2, 1, Full, Evicting, 0, 2, 0, 2},
		{2, 4, 0, 5, Queued, Queued, 4, 1, 4, 1},
		// Nobody passes those who wait, not even where there is room, unless the last are the first.
		{2, 4, 1, 4, Queued, Admitted, 4, 2, 0, 1},
		{2, 4, 2, 1, Full, Admitted, 4, 2, 3, 2},
		// A lowered limit.
		{2, -3, 0, 1, Queued, Queued, -3, 1, -3, 1},
		{2, -3, 2, 1, Full, Evicting, -3, 2, -3, 2},
		{0, -MaxCount + 1, 0, 1, Full, Full, -MaxCount + 1, 0, -MaxCount + 1, 0},
		// The ends of the range.
		{MaxCount, MaxCount, 0, MaxCount, Admitted, Admitted, 0, 0, 0, 0},
		{MaxCount, 0, MaxCount - 1, MaxCount, Queued, Queued, 0, MaxCount, 0, MaxCount},
		{MaxCount, -MaxCount + 1, MaxCount, 1, Full, Evicting, -MaxCount + 1, MaxCount, -MaxCount + 1, MaxCount},
		{MaxCount, MaxCount - 1, MaxCount, MaxCount - 1, Full, Admitted, MaxCount - 1, MaxCount, 0, MaxCount},
	} {
		for _, lifo := range []bool{false, true} {
			m := Machine{Queue: tc.queue, LIFO: lifo}
			answer, free, waiting := tc.fifo, tc.fifoFree, tc.fifoWaiting
			if lifo {
				answer, free, waiting = tc.lifo, tc.lifoFree, tc.lifoWaiting
			}
			next, got := m.Enter(word(tc.free, tc.waiting), tc.n)
			if f, w := Counts(next); got != answer || f != free || w != waiting {
				t.Errorf("%+v, LIFO %t: %v with %d free and %d waiting", tc, lifo, got, f, w)
			}
		}
	}
}

func TestLeave(t *testing.T) {
	for _, tc := range []struct {
		limit, free, waiting, n, want int64
		alone                         bool
	}{
		{1, 0, 0, 1, 1, true},
		{10, 3, 0, 7, 10, true},
		{MaxCount, 0, 0, MaxCount, MaxCount, true},
		{5, -3, 0, 2, -1, true}, // after the limit was lowered
		{1, -MaxCount + 1, 0, MaxCount, 1, true},
		{1, 0, 1, 1, 1, false},
		{10, 3, MaxCount, 7, 10, false},
		{5, -3, 2, 2, -1, false},
		{5, 5, 0, 1, 5, false}, // a permit given back twice
		{5, 4, 0, 2, 5, false},
		{5, 4, 3, 2, 5, false},
	} {
		next, alone := Leave(word(tc.free, tc.waiting), tc.n, tc.limit)
		if free, waiting := Counts(next); free != tc.want || waiting != tc.waiting || alone != tc.alone {
			t.Errorf("%+v: %d free and %d waiting, alone is %t", tc, free, waiting, alone)
		}
	}
}

func TestGrant(t *testing.T) {
	for _, tc := range []struct {
		free, waiting, n int64
		ok               bool
	}{
		{1, 1, 1, true},
		{0, 1, 1, false},
		{5, 3, 5, true},
		{4, 3, 5, false},
		{-1, 2, 1, false},
		{MaxCount, MaxCount, MaxCount, true},
	} {
		next, ok := Grant(word(tc.free, tc.waiting), tc.n)
		want := word(tc.free, tc.waiting)
		if tc.ok {
			want = word(tc.free-tc.n, tc.waiting-1)
		}
		if ok != tc.ok || next != want {
			free, waiting := Counts(next)
			t.Errorf("%+v: %t with %d free and %d waiting", tc, ok, free, waiting)
		}
	}
}
