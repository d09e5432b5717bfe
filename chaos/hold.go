package chaos

import (
	"net/http"
	"strconv"
	"time"
)

// A hold is what /hold does to one host: a time in which every request to it, whatever its path, is
// answered by the same status and what is left of that time. It is plain state: every method takes
// the instant, so the oracle runs the same code on a clock of its own.
type hold struct {
	asked     int64 // requests for /hold that met a free host
	period    int64 // numbers the holds, so that a late announcement cannot count for the next one
	until     time.Time
	code      int
	date      bool
	announced bool
	since     time.Time // when the first answer of this period had its headers written
}

// active reports whether the host is held. The instant the hold ends is free already: a client that
// obeys arrives exactly then.
func (h *hold) active(now time.Time) bool { return h.period > 0 && now.Before(h.until) }

// ask counts a request for /hold on a free host and reports whether it starts a hold.
func (h *hold) ask(a *args, now time.Time) bool {
	k := h.asked
	h.asked++
	if k > 0 && (a.every == 0 || k%a.every != 0) {
		return false
	}
	h.period++
	h.until, h.code, h.date, h.announced = now.Add(a.wait), a.code, a.date, false
	return true
}

// announce notes that an answer of the given period has reached the connection. Only the first one
// counts; a host whose announcements never got through has told nobody, so nobody violates it.
func (h *hold) announce(period int64, now time.Time) {
	if h.period == period && !h.announced {
		h.announced, h.since = true, now
	}
}

// violatedBy reports whether a request that arrives now disregards the hold. Requests that were on
// their way when it was announced do not, hence the grace.
func (h *hold) violatedBy(now time.Time, grace time.Duration) bool {
	return h.active(now) && h.announced && now.Sub(h.since) > grace
}

// answer is what every request gets while the host is held.
func (h *hold) answer(now time.Time) answer {
	a := answer{fault: "hold", status: h.code, body: page, period: h.period}
	left := h.until.Sub(now)
	if h.date {
		a.date, a.retryAfter, a.retryIn = dateAfter(now, left)
	} else {
		seconds := ceilSeconds(left)
		a.retryAfter, a.retryIn = strconv.FormatInt(seconds, 10), time.Duration(seconds)*time.Second
	}
	return a
}

// A retryAfter is the after= parameter of /status: what to put into the Retry-After header.
type retryAfter struct {
	form    string // "", seconds, date, or one of the words
	seconds int64
}

const maxAfter = 1 << 40 // seconds; far beyond what a time.Duration holds, still a valid header

func (r *retryAfter) parse(v string) bool {
	switch v {
	case "zero", "past", "huge", "junk":
		r.form = v
		return true
	}
	if len(v) > 5 && v[:5] == "date:" {
		r.form = "date"
		return number(v[5:], 0, 1<<30, &r.seconds)
	}
	r.form = "seconds"
	return number(v, 0, maxAfter, &r.seconds)
}

// put writes the header into a.
func (r retryAfter) put(a *answer, now time.Time) {
	switch r.form {
	case "seconds":
		a.retryAfter = strconv.FormatInt(r.seconds, 10)
		a.retryIn = time.Duration(min(r.seconds, 1<<30)) * time.Second
	case "date":
		a.date, a.retryAfter, a.retryIn = dateAfter(now, time.Duration(r.seconds)*time.Second)
	case "zero":
		a.retryAfter = "0"
	case "past":
		a.date, a.retryAfter, _ = dateAfter(now, -time.Hour)
	case "huge":
		a.retryAfter = "99999999999999999999" // more than an int64 holds
	case "junk":
		a.retryAfter = "soon"
	}
}

// dateAfter returns the Date and Retry-After headers for d from now, and how long a client waits
// that trusts their difference. Dates have whole seconds: Date is rounded down and Retry-After up,
// so a client that obeys is never early, whichever of the two clocks it goes by.
func dateAfter(now time.Time, d time.Duration) (date, after string, wait time.Duration) {
	from := now.Truncate(time.Second)
	to := from.Add(time.Duration(ceilSeconds(now.Add(d).Sub(from))) * time.Second)
	return from.UTC().Format(http.TimeFormat), to.UTC().Format(http.TimeFormat), to.Sub(from)
}

// ceilSeconds rounds up: waiting what it says is always long enough.
func ceilSeconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}
