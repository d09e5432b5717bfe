package fetch

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// settled is by how much an answer has to be younger than its Last-Modified for that to be a strong validator (RFC 9110, section 8.8.2.2):
// within one second of its grain a file may change and keep its date, and the clocks of a server and of those behind it
// may differ.
const settled = time.Minute

// A validator tells whether a server has the same bytes as before: RFC 9110, section 8.8.
type validator struct {
	etag     string
	modified string
	old      bool // modified is a strong validator
}

func validatorOf(h http.Header) validator {
	v := validator{etag: h.Get("ETag"), modified: h.Get("Last-Modified")}
	modified, err1 := http.ParseTime(v.modified)
	date, err2 := http.ParseTime(h.Get("Date"))
	v.old = err1 == nil && err2 == nil && date.Sub(modified) >= settled
	return v
}

// ifRange returns what to send as If-Range, or "" if there is no strong validator. RFC 9110, section 13.1.5, wants the date only where
// there is no entity tag at all: one that is weak tells that bytes may differ which the date does not see.
func (v validator) ifRange() string {
	switch {
	case strongTag(v.etag):
		return v.etag
	case v.etag == "" && v.old:
		return v.modified
	}
	return ""
}

// same reports whether nothing in the header of a later answer speaks against its being about the same bytes. An answer need
// not repeat its validators, and a server that heeds If-Range has compared them itself; this is for those which do not.
func (v validator) same(h http.Header) bool {
	etag, modified := h.Get("ETag"), h.Get("Last-Modified")
	return (etag == "" || etag == v.etag) && (modified == "" || v.modified == "" || modified == v.modified)
}

// resource names that of which the validator is one: that two URLs give the same entity tag means nothing. A tag is taken for that of the
// path, whatever the query, because links that are signed anew each time differ there; a mere date is not.
func (v validator) resource(u *url.URL) string {
	name := u.Scheme + "://" + hostOf(u) + u.EscapedPath()
	if v.etag == "" {
		name += "?" + u.RawQuery
	}
	return name
}

// longestTag is how many bytes an entity tag may have to be sent back: servers refuse requests with long headers.
const longestTag = 1 << 10

// strongTag reports whether s is a strong entity tag of use. An empty one is not: broken servers have it for everything.
func strongTag(s string) bool {
	if len(s) < 3 || len(s) > longestTag || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
}

// A contentRange is what a Content-Range says: RFC 9110, section 14.4.
type contentRange struct {
	first, last int64 // -1: unsatisfied
	total       int64 // -1: unknown
}

// parseRange reads a Content-Range of bytes.
func parseRange(s string) (r contentRange, ok bool) {
	unit, s, _ := strings.Cut(strings.TrimSpace(s), " ")
	if !strings.EqualFold(unit, "bytes") {
		return r, false
	}
	part, whole, ok := strings.Cut(strings.TrimSpace(s), "/")
	if !ok {
		return r, false
	}
	if r.total, ok = -1, whole == "*"; !ok {
		if r.total, ok = number(whole); !ok {
			return r, false
		}
	}
	if part == "*" {
		r.first, r.last = -1, -1
		return r, r.total >= 0
	}
	first, last, _ := strings.Cut(part, "-")
	var ok1, ok2 bool
	r.first, ok1 = number(first)
	r.last, ok2 = number(last)
	return r, ok1 && ok2 && r.first <= r.last && (r.total < 0 || r.last < r.total)
}

func number(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 62) // a bit less, so that sums do not overflow
	return int64(n), err == nil
}
