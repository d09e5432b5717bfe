package fetch

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestStrongValidators(t *testing.T) {
	long := `"` + strings.Repeat("a", 1023)
	const date, before = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:48:37 GMT"
	for _, tc := range []struct{ etag, modified, date, want string }{
		{`"a"`, "", "", `"a"`},
		{`"a"`, before, date, `"a"`},
		{`"é!#~"`, "", "", `"é!#~"`},
		{long[:1023] + `"`, "", "", long[:1023] + `"`},
		{long + `"`, "", "", ""},
		{long + `"`, before, date, ""},
		{`W/"a"`, "", "", ""},
		{`W/"a"`, before, date, ""},
		{`w/"a"`, "", "", ""},
		{`""`, "", "", ""},
		{`"`, "", "", ""},
		{`a`, "", "", ""},
		{`"a`, "", "", ""},
		{`"a"b"`, "", "", ""},
		{`"a b"`, "", "", ""},
		{`"a", "b"`, "", "", ""},
		{`a`, before, date, ""},
		{"", before, date, before},
		{"", "Sun, 06 Nov 1994 08:48:38 GMT", date, ""},
		{"", date, date, ""},
		{"", date, before, ""},
		{"", before, "", ""},
		{"", before, "today", ""},
		{"", "once", date, ""},
		{"", "Sunday, 06-Nov-94 08:48:37 GMT", date, "Sunday, 06-Nov-94 08:48:37 GMT"},
		{"", "", date, ""},
	} {
		h := http.Header{}
		for name, value := range map[string]string{"Etag": tc.etag, "Last-Modified": tc.modified, "Date": tc.date} {
			if value != "" {
				h.Set(name, value)
			}
		}
		if got := validatorOf(h).ifRange(); got != tc.want {
			t.Errorf("ETag %s, Last-Modified %s, Date %s: If-Range is %q, want %q", tc.etag, tc.modified, tc.date, got, tc.want)
		}
	}
}

func TestParseRange(t *testing.T) {
	for s, want := range map[string]contentRange{
		"bytes 0-0/1":      {0, 0, 1},
		"bytes 5-9/10":     {5, 9, 10},
		"bytes 5-9/*":      {5, 9, -1},
		"bytes */10":       {-1, -1, 10},
		"bytes */0":        {-1, -1, 0},
		"BYTES 5-9/10":     {5, 9, 10},
		" bytes  5-9/10 ":  {5, 9, 10},
		"bytes 05-009/010": {5, 9, 10},
	} {
		if got, ok := parseRange(s); !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{
		"", "bytes", "bytes ", "5-9/10", "bytes 5-9", "bytes 9-5/10", "bytes 5-10/10", "bytes 5-/10", "bytes -9/10", "bytes 5/10", "bytes /10", "bytes */*",
		"bytes */", "bytes 5-9/", "items 5-9/10", "bytes=5-9/10", "bytes 5-9/10, 11-12/13", "bytes +5-9/10", "bytes 5--9/10", "bytes 5-9/-10", "bytes 0x5-9/10",
		"bytes 5-9/1_0", "bytes 99999999999999999999-99999999999999999999/*", "bytes 5 - 9/10", "bytes 9223372036854775807-9223372036854775807/*",
	} {
		if got, ok := parseRange(s); ok {
			t.Errorf("%q: %v, want nothing", s, got)
		}
	}
}

var rangeForm = regexp.MustCompile(`^[\t-\r ]*(?i:bytes)[ \t\n\v\f\r]* [ \t\n\v\f\r]*(?:(\d+)-(\d+)|\*)/(\d+|\*)[\t-\r ]*$`)

// What parseRange takes is the form of the RFC, and what it returns is what stands there.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"bytes 5-9/10", "bytes */10", "bytes 5-9/*", "bytes 9-5/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := parseRange(s)
		if !ok {
			return
		}
		m := rangeForm.FindStringSubmatch(s)
		if m == nil {
			t.Fatalf("%q is taken for %v", s, r)
		}
		want := contentRange{-1, -1, -1}
		for i, to := range []*int64{&want.first, &want.last, &want.total} {
			if m[i+1] != "" && m[i+1] != "*" {
				*to, _ = strconv.ParseInt(m[i+1], 10, 64)
			}
		}
		if r != want {
			t.Fatalf("%q is taken for %v, want %v", s, r, want)
		}
		if r.first > r.last || r.total >= 0 && r.last >= r.total || r.last == -1 && r.total < 0 || r.last+1-r.first < 0 {
			t.Fatalf("%q gives the impossible %v", s, r)
		}
		if again, ok := parseRange("bytes " + rangeText(r)); !ok || again != r {
			t.Fatalf("%v is read back as %v, %v", r, again, ok)
		}
	})
}

func rangeText(r contentRange) string {
	total := "*"
	if r.total >= 0 {
		total = fmt.Sprint(r.total)
	}
	if r.first < 0 {
		return "*/" + total
	}
	return fmt.Sprintf("%d-%d/%s", r.first, r.last, total)
}
