package chaos

import (
	"maps"
	"net/url"
	"strings"
	"time"
)

// Stats is what a server has seen and done so far. It is a copy: the maps are the caller's. As JSON it is what /stats answers.
type Stats struct {
	Requests   int64                `json:"requests"`   // requests whose headers arrived, also those that never got an answer
	Violations int64                `json:"violations"` // those that disregarded a hold
	Faults     map[string]int64     `json:"faults"`     // answers by the name of the fault; see the package comment for the other names
	Status     map[int]int64        `json:"status"`     // answers by status, counted as the headers are written
	Hosts      map[string]HostStats `json:"hosts"`      // by Host header, in lower case
	URLs       map[string]int64     `json:"urls"`       // requests by host and request URI, as in "a.test/ok?size=3"
	Conns      int64                `json:"conns"`      // connections accepted by the server's own listeners
	Open       int                  `json:"open"`       // those that are still open
}

// HostStats is the part of one host.
type HostStats struct {
	Requests   int64 `json:"requests"`
	Violations int64 `json:"violations"` // arrived more than the grace after the host's hold was announced, and before it ended
	Active     int   `json:"active"`     // requests being served now
	Peak       int   `json:"peak"`       // the most that were served at one time
}

type hostState struct {
	HostStats
	hold hold
}

type urlState struct {
	requests int64 // all that arrived
	answered int64 // those that the URL answered itself, which is what heal= counts
}

// A state is all that answers depend on besides the request. The server has one for its life, the
// oracle makes a fresh one for every question. It has no lock and no clock of its own.
type state struct {
	seed  uint64
	hosts map[string]*hostState
	urls  map[string]*urlState
}

func newState(seed uint64) *state {
	return &state{seed: seed, hosts: make(map[string]*hostState), urls: make(map[string]*urlState)}
}

func (st *state) host(name string) *hostState {
	h := st.hosts[name]
	if h == nil {
		h = new(hostState)
		st.hosts[name] = h
	}
	return h
}

func (st *state) url(key string) *urlState {
	u := st.urls[key]
	if u == nil {
		u = new(urlState)
		st.urls[key] = u
	}
	return u
}

// urlKey is what requests are counted by. A fragment is never sent, so it is not part of it.
func urlKey(host string, u *url.URL) string { return strings.ToLower(host) + u.RequestURI() }

// arrive counts a request and reports whether it violates a hold.
func (st *state) arrive(host string, u *url.URL, now time.Time, grace time.Duration) bool {
	h := st.host(strings.ToLower(host))
	h.Requests++
	st.url(urlKey(host, u)).requests++
	bad := h.hold.violatedBy(now, grace)
	if bad {
		h.Violations++
	}
	return bad
}

// Stats returns the counters so far. It copies one entry per URL and host under the server's lock, so
// asking in a tight loop slows the server down.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.totals
	st.Faults, st.Status = maps.Clone(st.Faults), maps.Clone(st.Status)
	st.Open = len(s.conns)
	st.Hosts = make(map[string]HostStats, len(s.state.hosts))
	for name, h := range s.state.hosts {
		st.Hosts[name] = h.HostStats
		st.Requests += h.Requests
		st.Violations += h.Violations
	}
	st.URLs = make(map[string]int64, len(s.state.urls))
	for key, u := range s.state.urls {
		st.URLs[key] = u.requests
	}
	return st
}

// Requests returns how many requests for this URL have arrived, which is what a client's count of its
// attempts is to be compared with. A URL that cannot be parsed has none.
func (s *Server) Requests(rawURL string) int64 {
	u, err := url.Parse(rawURL)
	if err != nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if us := s.state.urls[urlKey(u.Host, u)]; us != nil {
		return us.requests
	}
	return 0
}

// A ticket is one request in service, for the counters.
type ticket struct {
	s *Server
	h *hostState
}

// status counts an answer as its headers are written.
func (t *ticket) status(code int) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.totals.Status[code]++
}

// announce notes that the host's hold has been made known.
func (t *ticket) announce(period int64) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.h.hold.announce(period, time.Now())
}
