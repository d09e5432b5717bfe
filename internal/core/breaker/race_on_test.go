//go:build race

package breaker

// raceEnabled tells tests that run many operations that each takes ten times as long.
const raceEnabled = true
