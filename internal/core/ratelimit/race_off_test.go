//go:build !race

package ratelimit

// thorough divides the random runs of tests.
const thorough = 1
