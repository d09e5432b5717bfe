package main

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// bytesIn are the units of sizes, the longer names first.
var bytesIn = []struct {
	unit string
	n    float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1}, {"", 1},
}

// size is a number of bytes from 1. Zero, the default, stands for any.
func size(to *int64) value[int64] {
	return value[int64]{to: to, kind: "SIZE", parse: func(s string) (int64, error) {
		lower := strings.ToLower(strings.TrimSpace(s))
		for _, u := range bytesIn {
			digits, ok := strings.CutSuffix(lower, u.unit)
			if !ok {
				continue
			}
			digits = strings.TrimSpace(digits)
			if strings.ContainsFunc(digits, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) {
				break // 1e3 and 0x10 are numbers too, but none that people give for a size
			}
			n, err := strconv.ParseFloat(digits, 64)
			switch n *= u.n; {
			case errors.Is(err, strconv.ErrRange), err == nil && n >= 1<<62:
				return 0, errors.New("want less")
			case err != nil:
			case n < 1:
				return 0, errors.New("want 1 byte or more")
			default:
				return int64(n), nil
			}
			break
		}
		return 0, errors.New("want a size such as 500kB, 10MB or 1GiB")
	}}
}

// directory is the name of a directory, which an empty shell variable is not.
func directory(to *string) value[string] {
	return value[string]{to: to, kind: "DIR", parse: func(s string) (string, error) {
		if s == "" {
			return "", errors.New("want a directory")
		}
		if !utf8.ValidString(s) {
			return "", errors.New("want a name in UTF-8, as results have it in JSON")
		}
		return s, nil
	}}
}
