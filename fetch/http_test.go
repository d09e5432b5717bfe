package fetch

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// one fetches a single item over loopback and returns its record.
func one(t *testing.T, c Config, it Item) *Record {
	t.Helper()
	c.Backoff = time.Millisecond
	sink := &collector{t: t}
	if _, err := Run(t.Context(), c, Items(it), sink); err != nil {
		t.Fatal(err)
	}
	if len(sink.records) != 1 {
		t.Fatalf("%d records of one item", len(sink.records))
	}
	return sink.records[0]
}

// seen is a server that notes its requests and answers by answer.
func seen(t *testing.T, answer http.HandlerFunc) (target string, requests func() []string) {
	var mu sync.Mutex
	var all []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		all = append(all, r.Method+" "+r.Host+r.URL.Path+" "+string(body))
		mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestStatusesThatAreTriedAgain(t *testing.T) {
	for code := 200; code < 600; code++ {
		again := slices.Contains([]int{408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 530}, code)
		if code > 208 && code < 300 || code > 308 && code < 400 || code > 431 && code < 500 && code != 451 || code > 530 {
			continue // no such status
		}
		if code == http.StatusPartialContent {
			continue // nobody asked for a part: see TestAPartIsNotTheWhole
		}
		target, requests := seen(t, status(code))
		r := one(t, Config{Attempts: 3}, Item{URL: target})
		want := 1
		if again {
			want = 3
		}
		if len(r.Attempts) != want || len(requests()) != want {
			t.Errorf("%d: %d attempts, %d requests, want %d", code, len(r.Attempts), len(requests()), want)
		}
		if r.Status != code || r.OK != (code < 300) {
			t.Errorf("%d: status %d, ok %v", code, r.Status, r.OK)
		}
		if !r.OK && (r.Error.Kind != KindStatus || r.Error.Retryable != again) {
			t.Errorf("%d: error %+v", code, r.Error)
		}
	}
}

func TestWhatMayHaveHappenedIsNotSentAgain(t *testing.T) {
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	}
	for _, tc := range []struct {
		name   string
		item   Item
		answer http.HandlerFunc
		want   int // requests
	}{
		{"POST", Item{Method: "POST", Body: "x"}, status(503), 1},
		{"PATCH", Item{Method: "PATCH", Body: "x"}, status(500), 1},
		{"POST, connection lost", Item{Method: "POST", Body: "x"}, reset, 1},
		{"POST, not processed", Item{Method: "POST", Body: "x"}, status(421), 3},
		{"POST, too early", Item{Method: "POST", Body: "x"}, status(425), 3},
		{"POST with a key", Item{Method: "POST", Body: "x", Header: map[string]string{"Idempotency-Key": "1"}}, status(503), 3},
		{"PUT", Item{Method: "PUT", Body: "x"}, status(503), 3},
		{"DELETE", Item{Method: "DELETE"}, status(503), 3},
	} {
		target, requests := seen(t, tc.answer)
		tc.item.URL = target
		r := one(t, Config{Attempts: 3}, tc.item)
		if len(requests()) != tc.want || len(r.Attempts) != tc.want {
			t.Errorf("%s: %d requests, %d attempts, want %d: %v", tc.name, len(requests()), len(r.Attempts), tc.want, r.Error)
		}
		for _, req := range requests() {
			if !strings.HasSuffix(req, " "+tc.item.Body) {
				t.Errorf("%s: the body did not come again: %q", tc.name, req)
			}
		}
	}
	// Nothing listens, so nothing can have happened.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r := one(t, Config{Attempts: 3}, Item{Method: "POST", URL: "http://" + l.Addr().String(), Body: "x"})
	if len(r.Attempts) != 3 || r.Error.Kind != KindRefused {
		t.Errorf("POST to a closed port: %d attempts, %v; want 3, refused", len(r.Attempts), r.Error)
	}
}

// net/http sends a request again on its own when a kept connection was dead. The server sees two requests, so the record
// must say two.
func TestSilentReplaysCountAsAttempts(t *testing.T) {
	srv := chaos.New(chaos.Config{})
	if err := srv.Start(""); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	sink := &collector{t: t}
	urls := []string{srv.URL("/idle-close"), srv.URL("/ok/1"), srv.URL("/idle-close/2"), srv.URL("/ok/2")}
	if _, err := Run(t.Context(), Config{PerHost: 1}, URLs(urls...), sink); err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for u, r := range sink.byID() {
		if !r.OK || int64(len(r.Attempts)) != srv.Requests(u) {
			t.Errorf("%s: ok %v, %d attempts in the record, %d requests on the server", u, r.OK, len(r.Attempts), srv.Requests(u))
		}
		if last := r.Attempts[len(r.Attempts)-1]; last.Replayed {
			replayed++
			if first := r.Attempts[0]; first.Replayed || !strings.HasPrefix(first.Error, "reset: ") || last.N != 2 || last.Status != 200 {
				t.Errorf("%s: attempts %+v", u, r.Attempts)
			}
		}
	}
	if replayed != 2 {
		t.Errorf("%d of the 2 requests on dead connections say that they were replayed", replayed)
	}
}

func TestRedirectsToAnotherHostWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		held := "http://b.test/hold?for=30s"
		moved := "http://a.test/redirect?to=http%3A%2F%2Fb.test%2Fok%2F7"
		chain := "http://a.test/redirect/2?to=" + "http%3A%2F%2Fc.test%2Fredirect%3Fn%3D2"
		failing := "http://a.test/redirect/3?to=http%3A%2F%2Fc.test%2Freset%3Fheal%3D2"
		got := net.fetch(t, Config{Concurrency: 1}, held, moved, chain, failing)
		for u, r := range got {
			if !r.OK {
				t.Errorf("%s: %v", u, r.Error)
			}
		}
		if r := got[moved]; r.FinalURL != "http://b.test/ok/7" || r.ElapsedMS < 29_000 || len(r.Attempts) != 1 || r.Attempts[0].DurationMS > 1000 {
			t.Errorf("redirected to the held host: %+v", r)
		}
		if r := got[chain]; !strings.HasPrefix(r.FinalURL, "http://c.test/") || len(r.Attempts) != 1 {
			t.Errorf("chain: %+v", r)
		}
		if r := got[failing]; len(r.Attempts) != 3 || r.Attempts[0].Error == "" || r.Attempts[2].Error != "" {
			t.Errorf("a redirect to what heals: %+v", r)
		}
		if s := net.Stats(); s.Violations != 0 {
			t.Errorf("%d requests broke the hold", s.Violations)
		}
	})
}

func TestRedirectsDoNotCarrySecretsToOthers(t *testing.T) {
	leaked := make(chan string, 1)
	to, _ := seen(t, func(w http.ResponseWriter, r *http.Request) {
		leaked <- r.Header.Get("Authorization") + r.Header.Get("Cookie")
	})
	to = strings.Replace(to, "127.0.0.1", "localhost", 1)
	from, _ := seen(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	r := one(t, Config{Header: http.Header{"Cookie": {"b"}}}, Item{URL: from, Header: map[string]string{"Authorization": "a"}})
	if !r.OK || r.FinalURL != to {
		t.Fatalf("%+v", r)
	}
	if got := <-leaked; got != "" {
		t.Errorf("the other host was told %q", got)
	}
}

func TestRedirectsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		pingpong := "http://a.test/redirect?to=http%3A%2F%2Fb.test%2Floop"
		got := net.fetch(t, Config{}, "http://a.test/loop", "http://a.test/redirect?n=9", "http://a.test/redirect?n=10", pingpong)
		for u, ok := range map[string]bool{
			"http://a.test/loop": false, "http://a.test/redirect?n=9": true, "http://a.test/redirect?n=10": false, pingpong: false,
		} {
			if r := got[u]; r.OK != ok || !ok && (r.Status != 302 || r.Error.Kind != KindRedirect || r.Error.Retryable || len(r.Attempts) != 1) {
				t.Errorf("%s: ok %v, %v, %d attempts", u, r.OK, r.Error, len(r.Attempts))
			}
		}
	})
}

func TestARedirectThatLeadsNowhere(t *testing.T) {
	for _, location := range []string{"ftp://127.0.0.1/", "http://", "http://[::1", "mailto:a@b.test"} {
		target, requests := seen(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
		r := one(t, Config{Attempts: 2}, Item{URL: target})
		if r.OK || r.Error.Kind != KindRedirect || r.Error.Retryable || len(requests()) != 1 {
			t.Errorf("to %q: %v after %d requests", location, r.Error, len(requests()))
		}
	}
}

// The limit of redirects is one of each attempt, not of all together.
func TestRedirectsAreCountedByAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		u := "http://a.test/redirect?to=" + url.QueryEscape("http://b.test/redirect?to="+url.QueryEscape("http://c.test/status/503?heal=6"))
		if r := net.fetch(t, Config{Attempts: 7}, u)[u]; !r.OK || len(r.Attempts) != 7 {
			t.Errorf("%v after %d attempts, want ok after 7", r.Error, len(r.Attempts))
		}
	})
}

func TestKindsOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		for path, want := range map[string]struct {
			kind  Kind
			took  time.Duration
			bytes bool
		}{
			"/slow-headers":      {KindTimeout, 30 * time.Second, false},
			"/drip?for=40s":      {KindTimeout, 30 * time.Second, true},
			"/stall?size=10000":  {KindStalled, 15 * time.Second, true},
			"/short?size=10000":  {KindTruncated, 0, true},
			"/cut-chunk?size=99": {KindTruncated, 0, true},
			"/reset":             {KindReset, 0, false},
			"/reset-body":        {KindReset, 0, true},
			"/status/410":        {KindStatus, 0, true},
		} {
			begin := time.Now()
			r := net.fetch(t, Config{Attempts: 1}, "http://a.test"+path)["http://a.test"+path]
			if r.OK || r.Outcome != Failed || r.Error.Kind != want.kind || r.Complete || r.SHA256 != "" {
				t.Errorf("%s: %+v with %v", path, r, r.Error)
			}
			if took := time.Since(begin); took != want.took {
				t.Errorf("%s took %v, want %v", path, took, want.took)
			}
			if (r.Bytes > 0) != want.bytes {
				t.Errorf("%s: %d bytes", path, r.Bytes)
			}
		}
	})
}

func TestABodyWithoutEndMarkIsNotCalledComplete(t *testing.T) {
	target, _ := seen(t, func(w http.ResponseWriter, r *http.Request) {
		conn, buf, _ := http.NewResponseController(w).Hijack()
		buf.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome bytes")
		buf.Flush()
		conn.Close()
	})
	if r := one(t, Config{}, Item{URL: target}); !r.OK || r.Complete || r.Bytes != 10 {
		t.Errorf("%+v", r)
	}
	target, _ = seen(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "all of it") })
	if r := one(t, Config{}, Item{URL: target}); !r.OK || !r.Complete || r.Bytes != 9 || r.FinalURL != "" {
		t.Errorf("%+v", r)
	}
	if r := one(t, Config{}, Item{URL: target, Method: "HEAD"}); !r.OK || !r.Complete || r.Bytes != 0 || r.ID != "HEAD "+target {
		t.Errorf("HEAD: %+v", r)
	}
}

func TestHeadersReachTheServer(t *testing.T) {
	got := make(chan http.Header, 1)
	target, _ := seen(t, func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		got <- r.Header
	})
	common := http.Header{"X-Both": {"common"}, "X-Common": {"1"}}
	one(t, Config{Header: common}, Item{URL: target, Header: map[string]string{"x-both": "item", "host": "other.test"}})
	h := <-got
	if h.Get("X-Both") != "item" || h.Get("X-Common") != "1" || h.Get("Host") != "other.test" || h.Get("Accept-Encoding") != "identity" {
		t.Errorf("headers are %v", h)
	}
	if len(common) != 2 || common.Get("X-Both") != "common" {
		t.Errorf("Config.Header was changed to %v", common)
	}
}
