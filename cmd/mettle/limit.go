package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// perSecond is a rate, by default in a second: 50, 50/s, 30/m, 1000/h.
func perSecond(to *float64) value[float64] {
	return value[float64]{to: to, kind: "RATE", parse: func(s string) (float64, error) {
		n, per, slash := strings.Cut(s, "/")
		unit, known := map[string]float64{"s": 1, "m": 60, "h": 3600}[per]
		if !slash {
			unit, known = 1, true
		}
		rate, err := strconv.ParseFloat(n, 64)
		if err != nil || !known || !(rate > 0) || math.IsInf(rate, 1) {
			return 0, errors.New("want a number above 0, in a second, or with /s, /m or /h")
		}
		return rate / unit, nil
	}}
}

// An allowance is how many failures a run may have: a number, or a share of its results. The zero allowance is any number.
type allowance struct {
	failures int
	share    float64
}

// String returns the allowance as it could be given.
func (a allowance) String() string {
	switch {
	case a.share > 0:
		return strconv.FormatFloat(a.share*100, 'g', 6, 64) + "%"
	case a.failures > 0:
		return strconv.Itoa(a.failures)
	}
	return ""
}

// allowed is a number of failures from 1, or a share of them above 0%.
func allowed(to *allowance) value[allowance] {
	return value[allowance]{to: to, kind: "N|N%", parse: func(s string) (allowance, error) {
		if percent, ok := strings.CutSuffix(s, "%"); ok {
			p, err := strconv.ParseFloat(percent, 64)
			if err != nil || !(p > 0 && p <= 100) {
				return allowance{}, errors.New("want more than 0% and at most 100%")
			}
			return allowance{share: p / 100}, nil
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return allowance{}, errors.New("want 1 or more, or a share such as 5%")
		}
		return allowance{failures: n}, nil
	}}
}
