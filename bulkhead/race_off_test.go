//go:build !race

package bulkhead

const RaceEnabled = false
