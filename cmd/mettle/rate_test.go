package main

import (
	"testing"

	"github.com/mettle-go/mettle/fetch"
)

func TestRates(t *testing.T) {
	for given, want := range map[string]float64{"50": 50, "50/s": 50, "30/m": 0.5, "1800/h": 0.5, "0.5": 0.5, "1e3": 1000} {
		var got float64
		if err := perSecond(&got).Set(given); err != nil || got != want {
			t.Errorf("%s is %v a second (%v), want %v", given, got, err, want)
		}
	}
	for _, given := range []string{"", "0", "-1", "x", "50/", "50/d", "/s", "5/s/s", "NaN", "inf", "1e999"} {
		got := 7.0
		if err := perSecond(&got).Set(given); err == nil || got != 7 {
			t.Errorf("%q is taken as %v a second", given, got)
		}
	}
}

func TestPauses(t *testing.T) {
	for want, c := range map[string]fetch.Counts{
		"":                                {},
		", 1 host resting":                {Resting: 1},
		", network down":                  {Offline: true},
		", 2 hosts resting, network down": {Resting: 2, Offline: true},
	} {
		if got := pauses(c); got != want {
			t.Errorf("pauses are %q, want %q", got, want)
		}
	}
}
