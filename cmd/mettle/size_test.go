package main

import "testing"

func TestSizes(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "500": 500, "500b": 500, "10kB": 10_000, "10KB": 10_000, "10 MB": 10_000_000, "1.5GB": 1_500_000_000, "2TB": 2e12,
		"1KiB": 1024, "1mib": 1 << 20, "1GiB": 1 << 30, "4TiB": 4 << 40, " 7 ": 7, "0.5KiB": 512,
	} {
		var n int64
		if err := size(&n).Set(s); err != nil || n != want {
			t.Errorf("%q: %d, %v; want %d", s, n, err, want)
		}
	}
	for _, s := range []string{"", "B", "x", "1X", "10M", "1k", "-1", "+1", "1e3", "0x10", "1.2.3", ".", "0", "0.1", "0MB", "99999999TB", "NaN", "Inf"} {
		n := int64(7)
		if err := size(&n).Set(s); err == nil || n != 7 {
			t.Errorf("%q: %d, %v; want an error", s, n, err)
		}
	}
}

func TestDirectories(t *testing.T) {
	for s, want := range map[string]bool{"pages": true, "./a b/é": true, "/": true, "": false, "a\xff": false} {
		dir := "before"
		if err := directory(&dir).Set(s); (err == nil) != want || want && dir != s || !want && dir != "before" {
			t.Errorf("%q: %q, %v", s, dir, err)
		}
	}
}
