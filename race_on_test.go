//go:build race

package mettle_test

// The race detector allocates too.
const raceEnabled = true
