//go:build race

package bulkhead

// RaceEnabled tells tests that count allocations that the race detector makes some of its own, and long ones that it is slow.
const RaceEnabled = true
