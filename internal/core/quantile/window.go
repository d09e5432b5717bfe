// Package quantile tells what the slow calls of late took: a quantile of the latest latencies, from histograms.
//
// A Window counts latencies in logarithmic buckets, 64 an octave, so that a bucket is at most 1.6% wide; within a bucket the quantile is
// interpolated. It has two generations that count. One fills up and takes the place of the other, so that the quantile is that of the latest
// half to whole Size of latencies, and nothing older has a say. (A moving estimate, such as P², needs no memory, but
// lags a shift badly.)
//
// Until a tenth of its size has been recorded, a Window does not know.
package quantile

import (
	"math"
	"math/bits"
	"sync/atomic"
)

const (
	subBits = 6
	subs    = 1 << subBits // buckets an octave
	unit    = 4            // the first octave's buckets are 2^unit nanoseconds wide
	octaves = 33           // the last one ends at 2^42 ns, an hour and a quarter; what is longer counts as that long
	limit   = 1<<(octaves-1+subBits+unit) - 1

	every = 32 // records between two looks at the histograms
)

// A Window holds the latest latencies of one kind of call. It is safe for concurrent use, without locks, and has no clock.
//
// An octave takes 256 bytes in each of three generations from the first latency in it on; latencies between a millisecond and
// a second make 10 octaves and less than 9 KiB. More than 26 KiB it never takes.
type Window struct {
	q      float64
	half   uint64 // records a generation
	enough uint64

	n     atomic.Uint64 // records so far
	value atomic.Int64  // the quantile when last looked at; 0 while unknown

	// Records go to generation n/half, modulo three. The one before it counts too. The third is empty already when its turn comes.
	generations [3]histogram
}

type histogram [octaves]atomic.Pointer[[subs]atomic.Uint32]

// New returns a window for the quantile q, more than 0 and less than 1. Its size is such that 50 latencies of a whole window lie beyond
// q, in the nearer direction of the ends of the range, but from 1000 to 100000.
func New(q float64) *Window {
	size := min(max(50/min(q, 1-q), 1000), 100_000)
	return &Window{q: q, half: uint64(size / 2), enough: uint64(size / 10)}
}

// NewPulled returns a window like New's whose Value never knows. Its Record never looks at the histograms, which spares it
// some tens of nanoseconds on average: for latencies that are looked at seldom, by Read and At.
func NewPulled(q float64) *Window {
	w := New(q)
	w.enough = math.MaxUint64
	return w
}

// Size returns how many latencies fit.
func (w *Window) Size() int { return int(2 * w.half) }

// Record adds a latency of ns nanoseconds. It costs a few atomic operations; every 32nd looks at the histograms, which takes about a
// microsecond. It allocates only for the first latency of an octave.
func (w *Window) Record(ns int64) {
	n := w.n.Add(1)
	generation := (n - 1) / w.half
	if n%w.half == 1 {
		// Whoever is so late that he still records there, a whole generation after the others, may be lost or counted with the wrong one. A
		// lock for that would cost more than a latency is worth.
		w.generations[(generation+1)%3].clear()
	}
	w.generations[generation%3].add(ns)
	if n >= w.enough && (n%every == 0 || n == w.enough) {
		if ns := w.Read(); ns > 0 {
			w.value.Store(ns)
		}
	}
}

// Value returns the quantile as of at most 32 records ago, in nanoseconds, and whether it is known. It costs one atomic load.
func (w *Window) Value() (ns int64, ok bool) {
	ns = w.value.Load()
	return ns, ns > 0
}

// Read returns the quantile as of now, at least 1, also where Value does not know. It is 0 if nothing has been recorded, or if others
// recorded so much meanwhile that a generation ended. It adds up all buckets in use.
func (w *Window) Read() int64 { return w.At(w.q) }

// At is Read for another quantile than the window's own. The window's size is that for its own: a quantile nearer to the ends of the range is
// told by fewer latencies.
func (w *Window) At(q float64) int64 {
	n := w.n.Load()
	if n == 0 {
		return 0
	}
	generation := (n - 1) / w.half
	now, before := &w.generations[generation%3], &w.generations[(generation+2)%3]
	var total uint64
	for octave := range octaves {
		for _, h := range [...]*histogram{now, before} {
			if counts := h[octave].Load(); counts != nil {
				for i := range counts {
					total += uint64(counts[i].Load())
				}
			}
		}
	}
	// The least latency that so many do not exceed. Others record meanwhile, so that the second pass may find more than the first; that it
	// finds less takes a goroutine that is a generation late.
	rank := max(1, uint64(math.Ceil(q*float64(total))))
	var below uint64
	for octave := range octaves {
		a, b := now[octave].Load(), before[octave].Load()
		if a == nil && b == nil {
			continue
		}
		for i := range subs {
			var count uint64
			if a != nil {
				count += uint64(a[i].Load())
			}
			if b != nil {
				count += uint64(b[i].Load())
			}
			if below+count >= rank {
				if (w.n.Load()-1)/w.half != generation {
					return 0
				}
				return within(octave, i, float64(rank-below)-0.5, float64(count))
			}
			below += count
		}
	}
	return 0
}

// within returns the latency below which part of the count latencies of a bucket lie.
func within(octave, i int, part, count float64) int64 {
	shift := max(0, octave-1) + unit
	lower := int64(i) << shift
	if octave > 0 {
		lower += subs << shift
	}
	return max(1, lower+int64(part/count*float64(int64(1)<<shift)))
}

func (h *histogram) add(ns int64) {
	octave, i := bucket(ns)
	counts := h[octave].Load()
	if counts == nil {
		h[octave].CompareAndSwap(nil, new([subs]atomic.Uint32))
		counts = h[octave].Load()
	}
	counts[i].Add(1)
}

// bucket returns where ns is counted. The first octave begins at 0 and is linear, as all are in themselves.
func bucket(ns int64) (octave, i int) {
	steps := uint64(min(max(ns, 0), limit)) >> unit
	octave = bits.Len64(steps >> subBits)
	return octave, int(steps>>max(0, octave-1)) & (subs - 1)
}

func (h *histogram) clear() {
	for octave := range h {
		if counts := h[octave].Load(); counts != nil {
			for i := range counts {
				if counts[i].Load() != 0 { // a load costs a fraction of a store
					counts[i].Store(0)
				}
			}
		}
	}
}
