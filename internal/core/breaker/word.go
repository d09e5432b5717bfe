package breaker

// MaxCount is the largest number of probes, and of successes, that the word of a half-open period can hold.
const MaxCount = 1<<31 - 1

// Sealed is the bit of a word that no decision sets or sees. A concurrent owner sets it to end a period.
const Sealed = 1 << 63

// probes makes the word of a half-open period. No count exceeds MaxCount: running is bounded by
// Machine.Probes, and the period ends when succeeded reaches Machine.Successes.
func probes(running, succeeded uint64) uint64 { return succeeded<<31 | running }

func counts(word uint64) (running, succeeded uint64) {
	return word & MaxCount, word >> 31 & MaxCount
}
