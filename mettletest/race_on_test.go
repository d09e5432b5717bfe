//go:build race

package mettletest

// raceEnabled tells tests of policies that race that the race detector would see it too, and fail the test itself.
const raceEnabled = true
