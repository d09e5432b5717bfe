package breaker

import (
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// MaxCount is the largest number of probes, and of successes, that the word of a half-open period can hold.
const MaxCount = 1<<16 - 1

// Sealed is the bit of a word that no decision sets or sees. A concurrent owner sets it to end a period.
const Sealed = 1 << 63

// A round is the word of a half-open period, taken apart. No count exceeds MaxCount: running is bounded by Machine.Probes, and the
// period ends when succeeded reaches Machine.Successes.
type round struct {
	running   uint64 // probes
	succeeded uint64
	last      uint64 // when the latest probe was admitted: milliseconds since the period began, rounded up, at most 31 bits of them
}

const maxLast = 1<<31 - 1

func (r round) word() uint64 { return r.last<<32 | r.succeeded<<16 | r.running }

func roundOf(word uint64) round {
	return round{running: word & MaxCount, succeeded: word >> 16 & MaxCount, last: word >> 32 & maxLast}
}

// admit adds a probe that begins at now.
func (r round) admit(e *Epoch, now int64) round {
	ms := (clock.Instant(now).Sub(clock.Instant(e.Since)) + (time.Millisecond - 1)) / time.Millisecond
	r.running++
	r.last = max(r.last, uint64(min(max(ms, 0), maxLast)))
	return r
}

// Again returns from when on a caller may be admitted who was not: in an open period when its cooldown is over, in a half-open one when
// all probes have run for as long as that.
func (e *Epoch) Again(word uint64) int64 {
	if e.Phase != HalfOpen {
		return e.Until
	}
	taken := time.Duration(roundOf(word).last) * time.Millisecond
	return int64(clock.Instant(e.Since).Add(taken).Add(e.Level))
}
