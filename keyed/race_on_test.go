//go:build race

package keyed_test

// The race detector allocates too, and is slow.
const raceEnabled = true
