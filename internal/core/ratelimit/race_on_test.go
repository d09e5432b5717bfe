//go:build race

package ratelimit

// thorough divides the random runs of tests: the race detector, which has nothing to find in here, makes each ten times as long.
const thorough = 10
