package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxRequests is how many requests one attempt may take when it follows redirects, the first
// included. It is net/http's own limit.
const maxRequests = 10

// decide gives the answer to a request: from the host's hold, or from the table.
func (st *state) decide(host string, u *url.URL, now time.Time) answer {
	if findOwn(u.Path) != nil {
		return note("", http.StatusOK, index()) // what a redirect to it leads to; the server asks before it counts
	}
	h := st.host(strings.ToLower(host))
	if h.hold.active(now) {
		return h.hold.answer(now)
	}
	us := st.url(urlKey(host, u))
	us.answered++
	f, args, err := find(u.Path)
	if f == nil {
		return note("unknown", http.StatusNotFound, fmt.Sprintf("chaos: path %q is not known, want one of these\n\n%s", u.Path, index()))
	}
	q := &request{fault: f, u: u, nth: us.answered, hold: &h.hold, now: now}
	if err == nil {
		err = q.parse(&args)
	}
	if err != nil {
		return note("invalid", http.StatusBadRequest, fmt.Sprintf("%v\n", err))
	}
	q.args = args
	name := args.body
	if name == "" {
		name = u.RequestURI()
	}
	q.body = content{key: keyOf(st.seed, name), size: args.size}
	if args.heal >= 0 && us.answered > args.heal {
		return good(q)
	}
	a := f.plan(q)
	if a.fault == "" {
		a.fault = f.name
	}
	return a
}

func note(fault string, status int, text string) answer {
	return answer{fault: fault, status: status, body: page, ctype: "text/plain; charset=utf-8", text: text}
}

// An Expectation is the truth about a URL: what a correct client ends up with.
type Expectation struct {
	Gettable bool   `json:"gettable"`  // whether it can be had at all within the attempts allowed
	Attempts int    `json:"attempts"`  // the fewest attempts it takes; the number allowed if it cannot be had
	Status   int    `json:"status"`    // of the last attempt; 0 when that one got no answer
	Bytes    int64  `json:"bytes"`     // of the whole body; 0 if it cannot be had
	SHA256   string `json:"sha256"`    // of the whole body, in lower-case hexadecimal; "" if it cannot be had
	FinalURL string `json:"final_url"` // where the redirects of the last attempt led
}

// Expect says what a correct client gets from rawURL with up to that many attempts, if nobody else
// asks this server for the same URLs or holds the same hosts. Such a client keeps no cookies, is as
// patient as it takes, obeys Retry-After, follows redirects to the ninth (as net/http does) and then
// calls the attempt failed, counts such a chain as one attempt, and takes a body for whole only if it
// ended as its framing said.
//
// The answers come from the table that serves, run on a state and a clock of their own: asking
// changes nothing and works before the server listens. Every http host is taken for this server; a URL
// of another scheme is an error, and so is one that cannot be parsed, or attempts below 1. The cost is
// that of hashing the body once.
func (s *Server) Expect(rawURL string, attempts int) (Expectation, error) {
	if attempts < 1 {
		return Expectation{}, fmt.Errorf("chaos: attempts is %d, want 1 or more", attempts)
	}
	start, err := url.Parse(rawURL)
	if err != nil {
		return Expectation{}, fmt.Errorf("chaos: %w", err)
	}
	st, now := newState(s.cfg.Seed), time.Unix(1<<30, 0)
	e := Expectation{Attempts: attempts}
	for n := 1; n <= attempts; n++ {
		a, last, err := st.follow(start, now)
		if err != nil {
			return Expectation{}, err
		}
		e.Status, e.FinalURL = a.status, last.String()
		if a.well() {
			e.Gettable, e.Attempts = true, n
			e.Bytes, e.SHA256 = a.content.size, a.content.sum()
			break
		}
		now = now.Add(a.retryIn)
	}
	return e, nil
}

// follow makes one attempt: the request and those that its redirects lead to.
func (st *state) follow(u *url.URL, now time.Time) (a answer, last *url.URL, err error) {
	for range maxRequests {
		if u.Scheme != "http" && u.Scheme != "" {
			return a, u, fmt.Errorf("chaos: url %q has the scheme %q, want http", u, u.Scheme)
		}
		last = u
		a = st.decide(u.Host, u, now)
		if a.location == "" {
			return a, last, nil
		}
		to, err := url.Parse(a.location)
		if err != nil {
			return a, u, errors.Join(errors.New("chaos: redirect"), err)
		}
		u = u.ResolveReference(to)
	}
	return a, last, nil
}
