package retry

import (
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// Kept is how many of a run's first attempts, and how many of its last, are remembered.
const Kept = 8

// An Attempt is one call and how it ended.
type Attempt struct {
	N    int           // from 1
	Err  error         // how it ended
	Took time.Duration // how long it ran; 0 if nobody read the clock when it began
	Wait time.Duration // how long the retry waited before it
}

// A Run is the state of one call that failed at least once. The zero Run is ready for use.
type Run struct {
	Begun clock.Instant // of the first attempt, or of its end if its begin is not known
	Wait  time.Duration

	n    int
	kind []int // failures by kind; the first is that of all that do not count for themselves
	head [Kept]Attempt
	tail [Kept]Attempt // a ring; the attempt n is at n % Kept
}

// N returns how many attempts have ended.
func (r *Run) N() int { return r.n }

// Add records the end of an attempt and gives it its number.
func (r *Run) Add(a Attempt) {
	r.n++
	a.N = r.n
	if r.n <= Kept {
		r.head[r.n-1] = a
		return
	}
	r.tail[r.n%Kept] = a
}

// Count counts a failure of that kind and returns how many there were so far of what counts as the same.
func (r *Run) Count(p *Plan, kind int) int {
	if !p.own(kind) {
		kind = 0
	}
	for len(r.kind) <= kind {
		r.kind = append(r.kind, 0)
	}
	r.kind[kind]++
	return r.kind[kind]
}

// Attempts returns the attempts in order: all of up to 16, else the first and the last 8.
func (r *Run) Attempts() []Attempt {
	kept := append(make([]Attempt, 0, min(r.n, 2*Kept)), r.head[:min(r.n, Kept)]...)
	for n := max(Kept, r.n-Kept) + 1; n <= r.n; n++ {
		kept = append(kept, r.tail[n%Kept])
	}
	return kept
}

// Reset makes r ready for another call and drops the errors it holds. It touches only what was used.
func (r *Run) Reset() {
	clear(r.head[:min(r.n, Kept)])
	if r.n > Kept {
		clear(r.tail[:])
	}
	clear(r.kind)
	r.n, r.Begun, r.Wait = 0, 0, 0
}
