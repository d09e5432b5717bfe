package chaos_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// inBubble runs f with a server and a client of its own, in memory. The bubble fails the test if a
// goroutine is left once the server is closed.
func inBubble(t *testing.T, cfg chaos.Config, f func(t *testing.T, s *chaos.Server, c *http.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := chaos.New(cfg)
		s.StartPipe()
		c := &http.Client{Transport: &http.Transport{DialContext: s.DialContext}}
		defer s.Close()
		f(t, s, c)
	})
}

// A reply is what a client has in the end. err is that of the request or of reading the body.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
	noHead bool // err came before the headers
}

func do(c *http.Client, method, url string, body io.Reader) reply {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return reply{err: err, noHead: true}
	}
	res, err := c.Do(req)
	if err != nil {
		return reply{err: err, noHead: true}
	}
	return readAll(res, 1<<40)
}

// readAll reads a body to its end, to its error, or until it is longer than limit.
func readAll(res *http.Response, limit int64) reply {
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if int64(len(b)) > limit {
		err = errors.New("too large")
	}
	return reply{status: res.StatusCode, header: res.Header, body: string(b), err: err}
}

func get(c *http.Client, url string) reply { return do(c, "GET", url, nil) }

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// checkGood compares a reply with the oracle.
func checkGood(t *testing.T, s *chaos.Server, url string, attempts int, r reply) {
	t.Helper()
	want, err := s.Expect(url, attempts)
	if err != nil {
		t.Fatal(err)
	}
	if r.err != nil {
		t.Fatalf("%s: %v, want the good answer", url, r.err)
	}
	if !want.Gettable || want.Attempts != attempts || r.status != want.Status || int64(len(r.body)) != want.Bytes || sum(r.body) != want.SHA256 {
		t.Fatalf("%s: got %d, %d bytes, %s at attempt %d; Expect says %+v", url, r.status, len(r.body), sum(r.body), attempts, want)
	}
}

func TestFaults(t *testing.T) {
	const size = 4096
	partial := func(t *testing.T, r reply) {
		t.Helper()
		if len(r.body) < size/4 || len(r.body) > size*3/4 {
			t.Errorf("got %d bytes, want between a quarter and three quarters of %d", len(r.body), size)
		}
	}
	timedOut := func(t *testing.T, r reply) {
		t.Helper()
		if !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the client's deadline", r.err)
		}
	}
	status := func(code int, retryAfter string) func(*testing.T, reply) {
		return func(t *testing.T, r reply) {
			t.Helper()
			if r.status != code || r.err != nil || r.header.Get("Retry-After") != retryAfter {
				t.Errorf("got %d, Retry-After %q, %v; want %d and %q", r.status, r.header.Get("Retry-After"), r.err, code, retryAfter)
			}
			if !strings.Contains(r.body, "<h1>") || len(r.header["Content-Length"]) != 1 {
				t.Errorf("want a page with a length, got %q", r.body)
			}
		}
	}
	tests := []struct {
		path  string
		fault string
		check func(*testing.T, reply)
	}{
		{"/reset", "reset", func(t *testing.T, r reply) {
			if !errors.Is(r.err, syscall.ECONNRESET) || !r.noHead {
				t.Errorf("error %v, want ECONNRESET before the headers", r.err)
			}
		}},
		{"/reset-body", "reset-body", func(t *testing.T, r reply) {
			partial(t, r)
			if !errors.Is(r.err, syscall.ECONNRESET) || r.status != 200 {
				t.Errorf("%d, %v, want 200 and ECONNRESET", r.status, r.err)
			}
			if r.header.Get("Content-Length") != "4096" {
				t.Errorf("Content-Length %q, want 4096", r.header.Get("Content-Length"))
			}
		}},
		{"/short", "short", func(t *testing.T, r reply) {
			partial(t, r)
			if r.err != io.ErrUnexpectedEOF || r.header.Get("Content-Length") != "4096" {
				t.Errorf("error %v, length %q, want %v and 4096", r.err, r.header.Get("Content-Length"), io.ErrUnexpectedEOF)
			}
		}},
		{"/cut-chunk", "cut-chunk", func(t *testing.T, r reply) {
			partial(t, r)
			if r.err != io.ErrUnexpectedEOF || r.header.Get("Content-Length") != "" {
				t.Errorf("error %v, length %q, want %v and none", r.err, r.header.Get("Content-Length"), io.ErrUnexpectedEOF)
			}
		}},
		{"/slow-headers", "slow-headers", func(t *testing.T, r reply) {
			timedOut(t, r)
			if !r.noHead {
				t.Error("got headers, want silence")
			}
		}},
		{"/stall", "stall", func(t *testing.T, r reply) { timedOut(t, r); partial(t, r) }},
		{"/stall?after=100", "stall", func(t *testing.T, r reply) {
			timedOut(t, r)
			if len(r.body) != 100 {
				t.Errorf("got %d bytes, want 100", len(r.body))
			}
		}},
		{"/loop", "loop", func(t *testing.T, r reply) {
			if r.err == nil || !strings.Contains(r.err.Error(), "10 redirects") {
				t.Errorf("error %v, want too many redirects", r.err)
			}
		}},
		{"/loop?n=3", "loop", func(t *testing.T, r reply) {
			if r.err == nil || !strings.Contains(r.err.Error(), "10 redirects") {
				t.Errorf("error %v, want too many redirects", r.err)
			}
		}},
		{"/redirect?to=/status/404", "status", status(404, "")},
		{"/redirect?to=http://b.test/status/404", "status", status(404, "")},
		{"/status/418", "status", status(418, "")},
		{"/status/599/some/label", "status", status(599, "")},
		{"/status/503?after=7", "status", status(503, "7")},
		{"/status/503?after=zero", "status", status(503, "0")},
		{"/status/503?after=huge", "status", status(503, "99999999999999999999")},
		{"/status/503?after=junk", "status", status(503, "soon")},
		{"/status/503?after=date:90", "status", status(503, "Sat, 01 Jan 2000 00:01:30 GMT")},
		{"/status/503?after=past", "status", status(503, "Fri, 31 Dec 1999 23:00:00 GMT")},
		{"/hold", "hold", status(429, "2")},
		{"/hold?code=503&for=1500ms&form=date", "hold", status(503, "Sat, 01 Jan 2000 00:00:02 GMT")},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			inBubble(t, chaos.Config{Seed: 7}, func(t *testing.T, s *chaos.Server, c *http.Client) {
				url := "http://a.test" + tt.path
				if strings.Contains(url, "?") {
					url += "&size=4096"
				} else {
					url += "?size=4096"
				}
				if strings.Contains(tt.path, "to=") {
					url = "http://a.test" + tt.path
				}
				tt.check(t, get(c, url))
				if n := s.Stats().Faults[tt.fault]; n == 0 {
					t.Errorf("Stats.Faults = %v, want one of %q", s.Stats().Faults, tt.fault)
				}
				if strings.HasPrefix(tt.path, "/hold") {
					return
				}
				if e, err := s.Expect(url, 3); err != nil || e.Gettable || e.SHA256 != "" || e.Attempts != 3 {
					t.Errorf("Expect = %+v, %v; want a URL that cannot be had", e, err)
				}
			})
		})
	}
}

// What every fault turns into once it is healed, and after how many requests.
func TestHealing(t *testing.T) {
	for _, f := range chaos.Faults() {
		if f.Name == "ok" {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			inBubble(t, chaos.Config{Seed: 3}, func(t *testing.T, s *chaos.Server, c *http.Client) {
				path := "/" + f.Name
				if f.Name == "status" {
					path = "/status/500"
				}
				// A reused connection would make net/http repeat the request on its own.
				c.Transport.(*http.Transport).DisableKeepAlives = true
				c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				url := "http://a.test" + path + "?heal=2&size=500"
				other := "http://b.test" + path + "?heal=2&size=500"
				for range 2 {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
					if res, err := c.Do(req); err == nil {
						readAll(res, 1<<20)
					}
					cancel()
					if f.Name == "hold" {
						time.Sleep(2 * time.Second)
					}
				}
				r := get(c, url)
				if r.err != nil || r.status != 200 || len(r.body) != 500 || r.header.Get("ETag") == "" {
					t.Errorf("third request: %d, %d bytes, %v; want the good answer", r.status, len(r.body), r.err)
				}
				if got := s.Requests(url); got != 3 {
					t.Errorf("Requests = %d, want 3", got)
				}
				if got := s.Requests(other); got != 0 {
					t.Errorf("Requests of another host = %d, want 0", got)
				}
				given := s.Stats().Faults
				if want := int64(2); f.Name != "hold" && given[f.Name] != want || given["ok"] == 0 {
					t.Errorf("Faults = %v, want %d of %s and the rest ok", given, want, f.Name)
				}
			})
		})
	}
}
