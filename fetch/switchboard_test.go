package fetch

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A switchboard decides which hosts of a network can be reached, and notes how often that was tried.
type switchboard struct {
	mu    sync.Mutex
	off   map[string]bool
	dials map[string]int
}

// on puts a switchboard between n and its transport, with these hosts cut off. Connections are not kept, so that it hears of each request.
func (n network) on(off ...string) *switchboard {
	s := &switchboard{off: make(map[string]bool), dials: make(map[string]int)}
	for _, host := range off {
		s.off[host] = true
	}
	n.transport.DisableKeepAlives = true
	dial := n.transport.DialContext
	n.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		s.mu.Lock()
		s.dials[host]++
		off := s.off[host]
		s.mu.Unlock()
		if off {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		return dial(ctx, network, addr)
	}
	return s
}

func (s *switchboard) set(host string, off bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.off[host] = off
}

func (s *switchboard) tried(host string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials[host]
}

func (n network) items(t *testing.T, c Config, items ...Item) map[string]*Record {
	t.Helper()
	c.Transport = n.transport
	sink := &collector{t: t}
	counts, err := Run(t.Context(), c, Items(items...), sink)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	got := sink.byID()
	if len(got) != len(items) || counts.Left() != 0 || counts.Running != 0 || counts.Waiting != 0 {
		t.Fatalf("%d records of %d items; %+v", len(got), len(items), counts)
	}
	return got
}

// mirrored is an item with a place at each of the hosts, under that path.
func mirrored(path string, hosts ...string) Item {
	it := Item{URL: "http://" + hosts[0] + path}
	for _, h := range hosts[1:] {
		it.Mirrors = append(it.Mirrors, "http://"+h+path)
	}
	return it
}

// asked tells to which mirrors the attempts of r went, by host, "url" for its own URL, with their status or error kind.
func asked(r *Record) string {
	var b strings.Builder
	for _, a := range r.Attempts {
		host := "url"
		if a.Mirror != "" {
			host = strings.Split(a.Mirror, "/")[2]
		}
		what := fmt.Sprint(a.Status)
		if a.Status == 0 {
			what, _, _ = strings.Cut(a.Error, ":")
		}
		fmt.Fprintf(&b, "%s %s, ", host, what)
	}
	return strings.TrimSuffix(b.String(), ", ")
}
