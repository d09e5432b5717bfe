// Package retryafter reads the header field Retry-After (RFC 9110, section 10.2.3).
package retryafter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Parse returns the wait that h asks for, and whether it asks for one. Seconds too many to count are the longest
// duration; a date counts from the answer's own Date, since the clocks of server and client differ, or from now if
// there is none. A wait that is over, or malformed, is none.
func Parse(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	if strings.Trim(v, "0123456789") == "" {
		s, err := strconv.ParseInt(v, 10, 64)
		if err != nil || s > math.MaxInt64/int64(time.Second) {
			return math.MaxInt64, true
		}
		return time.Duration(s) * time.Second, s > 0
	}
	until, err := http.ParseTime(v)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	wait := until.Sub(now) // saturates
	return max(wait, 0), wait > 0
}
