//go:build !race

package ctxvar_test

const raceEnabled = false
