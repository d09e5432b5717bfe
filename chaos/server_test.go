package chaos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
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

func TestGoodAnswers(t *testing.T) {
	for _, path := range []string{
		"/ok", "/ok?size=0", "/ok?size=1", "/ok?size=100000&type=text/plain", "/ok/x/y?body=one",
		"/drip", "/drip?size=3&for=1s", "/drip?size=0", "/slow-headers?for=90s", "/redirect", "/redirect?n=9&size=77",
		"/redirect?to=/ok&code=308", "/redirect?to=http://b.test/ok?size=9", "/idle-close", "/idle-close?when=now",
		"/short?heal=0", "/reset?heal=0", "/hold?heal=0", "/loop?heal=4",
	} {
		t.Run(path, func(t *testing.T) {
			inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
				url := "http://a.test" + path
				checkGood(t, s, url, 1, get(c, url))
			})
		})
	}
}

// A circle of n has n places, each a URL of its own.
func TestLoopGoesRound(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		get(c, "http://a.test/loop/x?n=3")
		want := map[string]int64{"a.test/loop/x?n=3": 1, "a.test/loop/x?at=1&n=3": 3, "a.test/loop/x?at=2&n=3": 3, "a.test/loop/x?at=0&n=3": 3}
		if got := s.Stats().URLs; !maps.Equal(got, want) {
			t.Errorf("visited %v, want %v", got, want)
		}
	})
}

func TestDripTakesItsTime(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		start := time.Now()
		res, err := c.Get("http://a.test/drip?size=1000&for=20s&pieces=4")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var at []time.Duration
		buf := make([]byte, 1000)
		for got := 0; got < 1000; {
			n, err := res.Body.Read(buf)
			got += n
			at = append(at, time.Since(start))
			if n != 250 {
				t.Fatalf("read %d bytes, %v; want pieces of 250", n, err)
			}
		}
		for i, d := range at {
			if want := time.Duration(i+1) * 5 * time.Second; d != want {
				t.Errorf("piece %d came after %v, want %v", i, d, want)
			}
		}
	})
}

func TestEndlessGoesOnUntilTheClientLeaves(t *testing.T) {
	inBubble(t, chaos.Config{Seed: 1}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://a.test/endless", nil)
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if !errors.Is(err, context.DeadlineExceeded) || n < 90*16<<10 || n > 110*16<<10 || res.ContentLength != -1 {
			t.Errorf("%d bytes of %d, %v; want about 100 pieces of 16 KiB until the deadline, length unknown", n, res.ContentLength, err)
		}
		synctest.Wait()
		if st := s.Stats(); st.Hosts["a.test"].Active != 0 || st.Open != 0 {
			t.Errorf("the answer goes on: %+v", st)
		}
	})
}

func TestBodiesFollowSeedAndURL(t *testing.T) {
	fetch := func(seed uint64, urls ...string) (bodies []string) {
		inBubble(t, chaos.Config{Seed: seed}, func(t *testing.T, s *chaos.Server, c *http.Client) {
			for _, u := range urls {
				bodies = append(bodies, get(c, u).body)
			}
		})
		return bodies
	}
	urls := []string{"http://a.test/ok", "http://b.test/ok", "http://a.test/ok/1", "http://a.test/short", "http://a.test/short"}
	one, again, other := fetch(1, urls...), fetch(1, urls...), fetch(2, urls...)
	for i := range urls {
		if one[i] != again[i] {
			t.Errorf("%s (%d): same seed, different bytes", urls[i], i)
		}
		if one[i] == other[i] || one[i] == "" {
			t.Errorf("%s (%d): different seeds, same bytes", urls[i], i)
		}
	}
	if one[0] != one[1] {
		t.Error("the host changes the bytes; want mirrors")
	}
	if one[0] == one[2] {
		t.Error("two paths have the same bytes")
	}
	if len(one[3]) == len(one[4]) {
		t.Errorf("/short is cut twice after %d bytes; want another point for another request", len(one[3]))
	}
	named := fetch(1, "http://a.test/ok?body=x", "http://b.test/drip?body=x&for=1s")
	if named[0] != named[1] {
		t.Error("body=x differs between two URLs")
	}
}

func rangedFor(c *http.Client, url, rng, ifRange string) reply {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return reply{err: err, noHead: true}
	}
	req.Header.Set("Range", rng)
	if ifRange != "" {
		req.Header.Set("If-Range", ifRange)
	}
	res, err := c.Do(req)
	if err != nil {
		return reply{err: err, noHead: true}
	}
	return readAll(res, 1<<20)
}

func TestRanges(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		full := get(c, "http://a.test/ok?size=1000")
		if r := rangedFor(c, "http://a.test/ok?size=1000", "bytes=333-", full.header.Get("ETag")); r.status != 206 || r.body != full.body[333:] {
			t.Errorf("range: %d, %d bytes", r.status, len(r.body))
		}
		if r := rangedFor(c, "http://a.test/ok?size=1000", "bytes=333-", `"other"`); r.status != 200 || r.body != full.body {
			t.Errorf("range with a stale tag: %d, %d bytes; want all", r.status, len(r.body))
		}
		if r := rangedFor(c, "http://a.test/ok?size=1000", "bytes=0-1,5-6", ""); r.status != 200 || r.body != full.body {
			t.Errorf("two ranges: %d, %d bytes; want all", r.status, len(r.body))
		}
		if r := rangedFor(c, "http://a.test/short?size=1000", "bytes=1000-", ""); r.status != 416 {
			t.Errorf("range beyond the end: %d, want 416", r.status)
		}
		// A cut that lies beyond the range still strikes before its end.
		if r := rangedFor(c, "http://a.test/stall?size=1000&after=900", "bytes=500-", ""); len(r.body) != 499 || !errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("stalled range: %d bytes, %v; want all but one", len(r.body), r.err)
		}
		// Resuming gets on through any number of cuts.
		var body []byte
		for len(body) < 999 {
			r := rangedFor(c, "http://a.test/reset-body?size=1000&body=b", "bytes="+strconv.Itoa(len(body))+"-", "")
			if r.status != 206 || !errors.Is(r.err, syscall.ECONNRESET) {
				t.Fatalf("resumed at %d: %d, %v", len(body), r.status, r.err)
			}
			body = append(body, r.body...)
		}
		if want := get(c, "http://a.test/ok?size=1000&body=b").body; string(body) != want[:len(body)] {
			t.Error("the pieces do not make the body")
		}
	})
}

func TestOtherMethods(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		for _, f := range []string{"ok", "short", "cut-chunk", "drip", "stall", "reset-body", "endless", "idle-close"} {
			r := do(c, "HEAD", "http://a.test/"+f+"?size=50", nil)
			if r.err != nil || r.status != 200 || r.body != "" {
				t.Errorf("HEAD /%s: %d, %q, %v; want 200 and nothing more", f, r.status, r.body, r.err)
			}
		}
		want := get(c, "http://a.test/ok").body
		if r := do(c, "POST", "http://a.test/ok", strings.NewReader(strings.Repeat("x", 1<<20))); r.body != want || r.err != nil {
			t.Errorf("POST of 1 MiB: %d, %v; want what GET gets", r.status, r.err)
		}
		if r := do(c, "PUT", "http://a.test/ok", bytes.NewReader(make([]byte, 1<<20+1))); r.status != 413 {
			t.Errorf("PUT of more than 1 MiB: %d, want 413", r.status)
		}
	})
}

// A connection that died while idle makes net/http repeat the request by itself. The server sees it.
func TestIdleCloseProvokesReplay(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		get(c, "http://a.test/idle-close?heal=1")
		r := get(c, "http://a.test/ok?size=5")
		if r.err != nil || len(r.body) != 5 {
			t.Fatalf("second request: %v, want the replayed one to succeed", r.err)
		}
		if n := s.Requests("http://a.test/ok?size=5"); n != 2 {
			t.Errorf("server saw %d requests, want 2: one dropped, one replayed", n)
		}
		st := s.Stats()
		if st.Faults["dropped"] != 1 || st.Conns != 2 || st.Faults["idle-close"] != 1 {
			t.Errorf("Stats = %+v, want one dropped request and two connections", st)
		}
		// POST is not idempotent, so nobody repeats it.
		get(c, "http://a.test/idle-close")
		if r := do(c, "POST", "http://a.test/ok", strings.NewReader("x")); r.err == nil {
			t.Error("POST on a dead connection succeeded")
		}
	})
}

func TestIdleCloseNow(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		r := get(c, "http://a.test/idle-close?when=now")
		if r.header.Get("Connection") != "" || r.err != nil {
			t.Errorf("Connection: %q, %v; want no warning", r.header.Get("Connection"), r.err)
		}
		synctest.Wait()
		if st := s.Stats(); st.Open != 0 || st.Conns != 1 {
			t.Errorf("%d of %d connections open, want it closed", st.Open, st.Conns)
		}
	})
}

func TestMistakesAreNamed(t *testing.T) {
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "/reset-body?"},
		{"/nonesuch", 404, `path "/nonesuch" is not known`},
		{"//ok", 404, "not known"},
		{"/ok?size=x", 400, `parameter "size" is "x", want BYTES`},
		{"/ok?size=-1", 400, `parameter "size" is "-1"`},
		{"/ok?size=17179869185", 400, `parameter "size"`},
		{"/ok?size=1&size=2", 400, `given 2 times`},
		{"/ok?heal=1", 400, `parameter "heal" is "1", want none of that name`},
		{"/ok?type=junk", 400, `parameter "type" is "junk"`},
		{"/ok?%zz", 400, "invalid URL escape"},
		{"/ok?a;b", 400, "invalid semicolon"},
		{"/short?size=0", 400, `want 1 or more`},
		{"/status", 400, `path element CODE is ""`},
		{"/status/200", 400, `path element CODE is "200", want 400 to 599`},
		{"/status/503?after=-3", 400, `parameter "after" is "-3"`},
		{"/status/503?after=date:", 400, `parameter "after" is "date:"`},
		{"/stall?after=1024", 400, `want less than size`},
		{"/loop?n=2&at=2", 400, `want less than n`},
		{"/hold?for=0s", 400, `parameter "for" is "0s", want DURATION`},
		{"/hold?for=2", 400, `parameter "for" is "2"`},
		{"/hold?code=500", 400, `parameter "code" is "500", want 429 | 503`},
		{"/redirect?to=https://a.test/", 400, `parameter "to"`},
		{"/redirect?code=304", 400, `parameter "code"`},
		{"/drip?pieces=0", 400, `parameter "pieces"`},
	}
	s := chaos.New(chaos.Config{})
	defer s.Close()
	for _, tt := range tests {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "http://a.test/", nil)
		path, query, _ := strings.Cut(tt.path, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		s.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %q, want %d and %q", tt.path, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

// The examples of the index page are what people copy.
func TestEveryExampleIsValid(t *testing.T) {
	s := chaos.New(chaos.Config{})
	for _, f := range chaos.Faults() {
		e, err := s.Expect("http://a.test"+f.Example, 5)
		if err != nil || e.Status == 400 || e.Status == 404 {
			t.Errorf("%s: %+v, %v", f.Example, e, err)
		}
		if !strings.HasPrefix(f.Example, "/"+f.Name) || f.Doc == "" || len(f.Params) == 0 {
			t.Errorf("%+v: incomplete", f)
		}
	}
}

func TestBadConfig(t *testing.T) {
	bad := chaos.Config{Grace: -1}
	const want = "chaos: Config.Grace is -1ns, want 0 or more"
	if err := bad.Validate(); err == nil || err.Error() != want {
		t.Errorf("Validate: %v, want %s", err, want)
	}
	defer func() {
		if got := recover(); got != want {
			t.Errorf("New panicked with %v, want %s", got, want)
		}
	}()
	chaos.New(bad)
}

func TestDialWithoutListener(t *testing.T) {
	s := chaos.New(chaos.Config{})
	if _, err := s.DialContext(t.Context(), "tcp", "a.test:80"); err != chaos.ErrNotListening {
		t.Errorf("error %v, want %v", err, chaos.ErrNotListening)
	}
	if s.Addr() != "" || s.URL("/ok") != "http://chaos.test/ok" {
		t.Errorf("Addr %q, URL %q", s.Addr(), s.URL("/ok"))
	}
	s.Close()
	if err := s.Start(""); err != http.ErrServerClosed {
		t.Errorf("Start after Close: %v, want %v", err, http.ErrServerClosed)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != http.ErrServerClosed {
		t.Errorf("Serve after Close: %v, want %v", err, http.ErrServerClosed)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}
