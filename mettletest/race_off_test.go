//go:build !race

package mettletest

const raceEnabled = false
