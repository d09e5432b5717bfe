package main

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"concurrency", "per-host", "rate", "host-rate", "retry-failed", "dir", "max-size", "max-time", "stall", "hedge", "help"}
	for name, want := range map[string]string{
		"concurency": "concurrency", "concurrancy": "concurrency", "cnocurrency": "concurrency", "concur": "concurrency", "concurrencyx": "concurrency",
		"perhost": "per-host", "retry-fialed": "retry-failed", "retry": "retry-failed", "rat": "rate", "raet": "rate", "max-tiem": "max-time",
		"": "", "x": "", "di": "", "speed": "", "verbose": "", "max": "max-size", "mix-sine": "max-size", "mix-sines": "", "stal": "stall", "help": "help",
	} {
		if got := nearest(name, words); got != want {
			t.Errorf("nearest to %q is %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "ab", 1}, {"abc", "abd", 1}, {"abc", "xabc", 1}, {"abc", "acb", 1}, {"ab", "ba", 1},
		{"abcd", "badc", 2}, {"abc", "cab", 2}, {"kitten", "sitting", 3}, {"rate", "stall", 4},
	} {
		if got, back := distance(tt.a, tt.b), distance(tt.b, tt.a); got != tt.want || back != tt.want {
			t.Errorf("from %q to %q it is %d, and back %d, want %d", tt.a, tt.b, got, back, tt.want)
		}
	}
}
