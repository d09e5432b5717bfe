package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A value is a flag's value. The error of its parse says no more than what is wanted: badFlag adds the name and what was given.
type value[T any] struct {
	to    *T
	kind  string // its name in help
	parse func(string) (T, error)
	words []string // those to choose from; nil: it is no choice
}

// String returns the value as it could be given.
func (v value[T]) String() string {
	if d, ok := any(*v.to).(time.Duration); ok {
		return tidy(d)
	}
	return fmt.Sprint(*v.to)
}

// tidy is d as a person would give it: 2m, not 2m0s.
func tidy(d time.Duration) string {
	if d == 0 {
		return "0" // which help takes for no default
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Type returns the value's name in help.
func (v value[T]) Type() string { return v.kind }

// Set parses s.
func (v value[T]) Set(s string) error {
	parsed, err := v.parse(s)
	if err == nil {
		*v.to = parsed
	}
	return err
}

// mostAtOnce keeps a slip of the keyboard from asking for more memory than there is.
const mostAtOnce = 1_000_000

// count is a number from 1.
func count(to *int, def int) value[int] {
	*to = def
	return value[int]{to: to, kind: "N", parse: func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		switch {
		case errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(s, "-"), n > mostAtOnce:
			return 0, fmt.Errorf("want %d or less", mostAtOnce)
		case err != nil, n < 1:
			return 0, errors.New("want 1 or more")
		}
		return n, nil
	}}
}

// span is a duration above 0, or from 0.
func span(to *time.Duration, def time.Duration, zero bool) value[time.Duration] {
	*to = def
	example := tidy(cmp.Or(def, 10*time.Minute))
	return value[time.Duration]{to: to, kind: "DURATION", parse: func(s string) (time.Duration, error) {
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return 0, fmt.Errorf("want a duration such as %s", example)
		case d < 0 && zero:
			return 0, errors.New("want 0 or more")
		case d <= 0 && !zero:
			return 0, errors.New("want more than 0")
		}
		return d, nil
	}}
}

// choice is one of several words.
func choice(to *string, words ...string) value[string] {
	*to = words[0]
	return value[string]{to: to, kind: "HOW", parse: func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", errors.New("want " + oneOf(words))
		}
		return s, nil
	}, words: words}
}

// file is the name of a file, which an empty shell variable is not.
func file(to *string) value[string] {
	return value[string]{to: to, kind: "FILE", parse: func(s string) (string, error) {
		if s == "" {
			return "", errors.New("want a file name")
		}
		return s, nil
	}}
}

// headers are HTTP fields, one each time that the flag is given.
type headers http.Header

// String is empty: there are none by default.
func (headers) String() string { return "" }

// Type returns the value's name in help.
func (headers) Type() string { return "'NAME: VALUE'" }

// Set adds the field that s is.
func (h headers) Set(s string) error {
	name, val, ok := strings.Cut(s, ":")
	val = strings.Trim(val, " \t")
	if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(val) {
		return errors.New("want 'Name: value'")
	}
	http.Header(h).Add(name, val)
	return nil
}
