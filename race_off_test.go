//go:build !race

package mettle_test

const raceEnabled = false
