//go:build !race

package mettlehttp_test

const raceEnabled = false
