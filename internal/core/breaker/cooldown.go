package breaker

import (
	"math/bits"
	"time"
)

// grown returns the cooldown after another failed recovery.
func (m *Machine) grown(level time.Duration) time.Duration {
	if level > m.MaxCooldown/2 {
		return m.MaxCooldown
	}
	return 2 * level
}

// jittered returns a cooldown within a tenth of level, so that breakers that opened together do not probe
// together. It draws from what lies between Cooldown and MaxCooldown instead of cutting the result to it,
// since cut draws would all come to the same bound.
func (m *Machine) jittered(level time.Duration, draw uint64) time.Duration {
	tenth := level / 10
	low := max(level-tenth, m.Cooldown)
	high := m.MaxCooldown
	if high-level > tenth {
		high = level + tenth
	}
	over, _ := bits.Mul64(draw, uint64(high-low)+1)
	return low + time.Duration(over)
}
