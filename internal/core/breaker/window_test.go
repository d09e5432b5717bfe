package breaker

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

// fill counts that many calls of which so many failed, spread evenly, and returns the number of the call that tripped, or 0.
func fill(w *Window, calls, failures int) int {
	for i := 1; i <= calls; i++ {
		if w.Count(0, i*failures/calls > (i-1)*failures/calls, false) {
			return i
		}
	}
	return 0
}

func TestThreeOfThirtyReachATenth(t *testing.T) {
	for _, tc := range []struct {
		calls, failures int
		rate            float64
		trips           bool
	}{
		{30, 3, 0.1, true}, {10, 1, 0.1, true}, {1000, 100, 0.1, true}, {30, 2, 0.1, false},
		{100, 7, 0.07, true}, {100, 29, 0.29, true}, {100, 57, 0.57, true}, {100, 58, 0.58, true}, {1000, 289, 0.29, false},
		{3, 1, 1. / 3, true}, {3, 1, math.Nextafter(1./3, 1), false}, {7, 7, 1, true}, {1000, 999, 1, false},
	} {
		r := Rate{Calls: tc.calls, Min: tc.calls, Failures: tc.rate}
		w := r.Begin(0)
		if got := fill(&w, tc.calls, tc.failures) != 0; got != tc.trips {
			t.Errorf("%d of %d trip %v: %v, want %v", tc.failures, tc.calls, tc.rate, got, tc.trips)
		}
	}
}

// A rate rounded to two decimals would trip: 49.5% are not 50%.
func TestARateJustBelowNeverTrips(t *testing.T) {
	for _, r := range []Rate{{Calls: 200, Min: 200, Failures: 0.5}, {Calls: 100_000, Min: 200, Failures: 0.5}, {Time: time.Hour, Min: 200, Failures: 0.5}} {
		w := r.Begin(0)
		for i := range 100_000 {
			// 99 failures in any 200 calls in a row, each second but one.
			if n := i % 200; w.Count(0, n%2 == 1 && n != 199, false) {
				t.Fatalf("%+v trips at call %d with %+v", r, i, w.Read(0))
			}
		}
		if c := w.Read(0); c.FailureRate() < 0.494 {
			t.Errorf("%+v saw a rate of %v", r, c.FailureRate())
		}
	}
}

func TestASuccessThatReachesTheMinimumTrips(t *testing.T) {
	for _, r := range []Rate{{Calls: 100, Min: 4, Failures: 0.5}, {Time: time.Second, Min: 4, Failures: 0.5}} {
		w := r.Begin(0)
		for i, failed := range []bool{true, true, false, false} {
			if got, want := w.Count(0, failed, false), i == 3; got != want {
				t.Errorf("%+v, call %d: trips is %v, want %v", r, i+1, got, want)
			}
		}
	}
}

// The window of calls against a list of the last ones, around the edges of its words.
func TestWindowOfCallsHoldsTheLatest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1, 2, 63, 64, 65, 127, 128, 129, 1000} {
		r := Rate{Calls: n, Min: 1, Failures: 1, Slow: 1}
		w := r.Begin(math.MinInt64)
		var all []record
		for i := range 5*n + 10 {
			rec := record{verdict: mettle.Verdict(rng.IntN(2)), slow: rng.IntN(3) == 0}
			all = append(all, rec)
			all = all[max(0, len(all)-n):]
			trips := w.Count(rng.Int64(), rec.verdict == mettle.Failure, rec.slow)
			want := inWindow(r, all, 0)
			if got := w.Read(rng.Int64()); got != want {
				t.Fatalf("%d calls, after %d: %+v, want %+v", n, i+1, got, want)
			}
			if wantTrips := want.Failures == want.Calls || want.Slow == want.Calls; trips != wantTrips {
				t.Fatalf("%d calls, after %d, %+v: trips is %v", n, i+1, want, trips)
			}
		}
	}
}

// The window of time against a list of all results, with gaps of any length and a clock that goes back.
func TestWindowOfTimeHoldsTheLatest(t *testing.T) {
	const sub = 1000
	r := Rate{Time: Subs * sub, Min: 1, Failures: 1}
	for _, start := range starts {
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 2))
			w := r.Begin(start)
			now, seen := start, start
			var all []record
			for i := range 500 {
				switch rng.IntN(12) {
				case 0:
					now = later(now, time.Duration(rng.Int64N(40*sub)))
				case 1:
					now = later(now, sub*time.Duration(rng.IntN(20)))
				case 2:
					if back := rng.Int64N(3 * sub); now >= math.MinInt64+back {
						now -= back
					}
				case 3:
					if rng.IntN(100) == 0 {
						now = later(now, math.MaxInt64)
					}
				default:
					now = later(now, time.Duration(rng.Int64N(sub)))
				}
				seen = max(seen, now)
				passed := uint64(seen) - uint64(start)
				failed := rng.IntN(2) == 0
				rec := record{verdict: mettle.Success, passed: passed}
				if failed {
					rec.verdict = mettle.Failure
				}
				all = append(all, rec)
				trips := w.Count(now, failed, false)
				want := inWindow(r, all, passed)
				if got := w.Read(now); got != want || trips != (want.Failures == want.Calls) {
					t.Fatalf("from %d, seed %d, call %d at %d: %+v, trips %v, want %+v", start, seed, i, now, got, trips, want)
				}
			}
		}
	}
}

// Results stay for 15/16 of the time at least and for all of it at most.
func TestWindowOfTimeCoversAlmostAllOfItsTime(t *testing.T) {
	r := Rate{Time: 16 * time.Second, Min: 1, Failures: 1}
	for _, start := range []int64{0, -1 << 59} {
		for into := time.Duration(0); into < 2*time.Second; into += time.Second / 8 {
			w := r.Begin(start)
			at := start + int64(into)
			w.Count(at, true, false)
			if c := w.Read(at + int64(15*time.Second)); c.Calls != 1 {
				t.Errorf("a result at %v is gone after 15 s", into)
			}
			if c := w.Read(at + int64(16*time.Second)); c != (Counts{}) {
				t.Errorf("a result at %v is still there after 16 s: %+v", into, c)
			}
		}
	}
}

func TestSemantics10CountsSaturate(t *testing.T) {
	r := Rate{Time: 16 * time.Second, Min: 1, Failures: 1}
	w := r.Begin(0)
	for i := range int64(Subs) {
		now := i * int64(time.Second)
		w.Count(now, false, false)
		w.subs[w.current%Subs] = Counts{Calls: maxSub - 1, Failures: maxSub - 1}
		w.sum = Counts{Calls: uint64(i+1)*maxSub - 1, Failures: uint64(i+1)*maxSub - 1}
		w.Count(now, true, false)
		for range 3 { // the sub-window is full
			w.Count(now, false, false)
		}
		if c := w.Read(now); c.Calls != uint64(i+1)*maxSub || c.Failures != c.Calls || c.FailureRate() != 1 {
			t.Fatalf("%d full: %+v", i+1, c)
		}
		if float64(w.sum.Calls-1) == float64(w.sum.Calls) {
			t.Fatalf("%d are not exact any more", w.sum.Calls)
		}
	}
	if c := w.Read(int64(time.Hour)); c != (Counts{}) {
		t.Errorf("%+v are left", c)
	}
}

func TestStampsMeasureToTheMicrosecond(t *testing.T) {
	const around = 1 << 50 // nanoseconds in 13 days
	for _, start := range []int64{0, 1, -1, 1023, 1024, -1 << 59, math.MinInt64, math.MaxInt64 - around, 1<<50 - 1} {
		for _, d := range []time.Duration{0, 1, 1023, 1024, time.Millisecond, time.Hour + 1, 12 * 24 * time.Hour} {
			s := StampOf(start)
			if s>>StampBits != 0 {
				t.Fatalf("the stamp of %d has more than %d bits: %x", start, StampBits, s)
			}
			if got := s.Took(start + int64(d)); got < d || got >= d+1024 {
				t.Errorf("from %d, %v are measured as %v", start, d, got)
			}
		}
	}
	const longest = around - back<<10
	if got := StampOf(5 << 10).Took(5<<10 + longest - 1); got != longest-1 || got < 309*time.Hour {
		t.Errorf("the longest time is measured as %v", got)
	}
	if got := StampOf(5 << 10).Took(5<<10 + around); got != 0 {
		t.Errorf("%v are measured as %v", time.Duration(around), got)
	}
	for _, d := range []time.Duration{1025, time.Second, time.Hour} {
		if got := StampOf(-1 << 59).Took(-1<<59 - int64(d)); got != 0 {
			t.Errorf("%v back are measured as %v", d, got)
		}
	}
}

func TestASlowProbeFails(t *testing.T) {
	r := Rate{Calls: 2, Min: 1, Failures: 0.5, Slow: 0.5}
	m := machine()
	m.Trip, m.Rate = Trip{}, &r
	for _, slow := range []bool{false, true} {
		d := &driver{t: t, m: m, s: m.Start(0)}
		d.settle(d.admit(), mettle.Failure, Open)
		d.now = d.s.Until
		d.s, _ = m.SettleResult(d.s, d.admit(), Result{Verdict: mettle.Success, Slow: slow}, d.now, 0)
		if want := map[bool]Phase{false: HalfOpen, true: Open}[slow]; d.s.Phase != want {
			t.Errorf("slow is %v: %v after a probe, want %v", slow, d.s.Phase, want)
		}
	}
}
