package chaos_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

func TestExpect(t *testing.T) {
	s := chaos.New(chaos.Config{Seed: 5})
	tests := []struct {
		url      string
		attempts int
		want     chaos.Expectation // without Bytes and SHA256 where gettable
	}{
		{"http://a.test/ok", 1, chaos.Expectation{Gettable: true, Attempts: 1, Status: 200, FinalURL: "http://a.test/ok"}},
		{"http://a.test/reset?heal=2", 2, chaos.Expectation{Attempts: 2, FinalURL: "http://a.test/reset?heal=2"}},
		{"http://a.test/reset?heal=2", 3, chaos.Expectation{Gettable: true, Attempts: 3, Status: 200, FinalURL: "http://a.test/reset?heal=2"}},
		{"http://a.test/status/503?heal=1&after=huge", 9, chaos.Expectation{Gettable: true, Attempts: 2, Status: 200, FinalURL: "http://a.test/status/503?heal=1&after=huge"}},
		{"http://a.test/status/404", 4, chaos.Expectation{Attempts: 4, Status: 404, FinalURL: "http://a.test/status/404"}},
		{"http://a.test/short", 4, chaos.Expectation{Attempts: 4, Status: 200, FinalURL: "http://a.test/short"}},
		{"http://a.test/hold", 1, chaos.Expectation{Attempts: 1, Status: 429, FinalURL: "http://a.test/hold"}},
		{"http://a.test/hold?form=date&for=1s", 2, chaos.Expectation{Gettable: true, Attempts: 2, Status: 200, FinalURL: "http://a.test/hold?form=date&for=1s"}},
		{"http://a.test/hold?every=1", 3, chaos.Expectation{Attempts: 3, Status: 429, FinalURL: "http://a.test/hold?every=1"}},
		{"http://a.test/redirect?n=9", 1, chaos.Expectation{Gettable: true, Attempts: 1, Status: 200, FinalURL: "http://a.test/redirect?n=0"}},
		{"http://a.test/redirect?n=10", 1, chaos.Expectation{Attempts: 1, Status: 302, FinalURL: "http://a.test/redirect?n=1"}},
		{"http://a.test/loop?heal=3", 1, chaos.Expectation{Gettable: true, Attempts: 1, Status: 200, FinalURL: "http://a.test/loop?heal=3"}},
		{"http://a.test/redirect?to=http://b.test/status/503?heal=1", 2, chaos.Expectation{Gettable: true, Attempts: 2, Status: 200, FinalURL: "http://b.test/status/503?heal=1"}},
		{"/ok", 1, chaos.Expectation{Gettable: true, Attempts: 1, Status: 200, FinalURL: "/ok"}},
		{"http://a.test/nonesuch", 2, chaos.Expectation{Attempts: 2, Status: 404, FinalURL: "http://a.test/nonesuch"}},
		{"http://a.test/ok?size=x", 2, chaos.Expectation{Attempts: 2, Status: 400, FinalURL: "http://a.test/ok?size=x"}},
	}
	for _, tt := range tests {
		got, err := s.Expect(tt.url, tt.attempts)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
			continue
		}
		if got.Gettable != (got.Bytes == 1024 && len(got.SHA256) == 64) {
			t.Errorf("%s: %+v, want bytes and a sum exactly if gettable", tt.url, got)
		}
		got.Bytes, got.SHA256 = 0, ""
		if got != tt.want {
			t.Errorf("%s in %d: %+v, want %+v", tt.url, tt.attempts, got, tt.want)
		}
	}
	if st := s.Stats(); st.Requests != 0 || len(st.URLs) != 0 {
		t.Errorf("asking the oracle changed the server: %+v", st)
	}
	for _, bad := range []struct{ url, want string }{
		{"https://a.test/ok", `has the scheme "https", want http`}, {"%zz", "invalid URL escape"},
	} {
		if e, err := s.Expect(bad.url, 1); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %+v, %v; want an error that says %s", bad.url, e, err, bad.want)
		}
	}
	if _, err := s.Expect("/ok", 0); err == nil || err.Error() != "chaos: attempts is 0, want 1 or more" {
		t.Errorf("attempts 0: %v", err)
	}
}

// obey is a correct client, written without a look at the server: it takes a body for whole only if
// its framing says so, waits for what Retry-After says, and tries up to that many times. It runs in a synctest bubble.
func obey(c *http.Client, url string, attempts int) (r reply, used int) {
	for used = 1; ; used++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		req, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
		r = reply{}
		if res, err := c.Do(req); err == nil {
			r = readAll(res, 1<<20)
		} else {
			r.err = err
		}
		cancel()
		if r.err == nil && r.status == 200 || used == attempts {
			return r, used
		}
		if s, err := strconv.ParseInt(r.header.Get("Retry-After"), 10, 64); err == nil && s < 1<<30 {
			time.Sleep(time.Duration(s) * time.Second)
		}
	}
}

// Random URLs, fetched by a client that knows nothing of the table, end as the oracle says.
func TestOracleAgreesWithAClient(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	for i := range 300 {
		host := "h" + strconv.Itoa(i) + ".test"
		path := pick("/ok", "/status/500", "/status/429", "/reset", "/reset-body", "/short", "/cut-chunk", "/slow-headers", "/stall",
			"/endless", "/drip", "/loop", "/redirect", "/idle-close", "/hold") + "/" + strconv.Itoa(i)
		query := []string{"size=" + strconv.Itoa(1+rng.IntN(5000))}
		if rng.IntN(4) > 0 && !strings.HasPrefix(path, "/ok") {
			query = append(query, "heal="+strconv.Itoa(rng.IntN(5)))
		}
		switch {
		case strings.HasPrefix(path, "/status"):
			query = append(query, "after="+pick("zero", "1", "3", "junk", "huge"))
		case strings.HasPrefix(path, "/redirect"):
			query = append(query, "n="+strconv.Itoa(rng.IntN(12)))
		case strings.HasPrefix(path, "/loop"):
			query = append(query, "n="+strconv.Itoa(1+rng.IntN(3)))
		case strings.HasPrefix(path, "/hold"):
			query = append(query, "for="+pick("300ms", "2s", "1s"), "every="+strconv.Itoa(1+rng.IntN(3)))
		}
		url, attempts := "http://"+host+path+"?"+strings.Join(query, "&"), 1+rng.IntN(5)
		inBubble(t, chaos.Config{Seed: uint64(i)}, func(t *testing.T, s *chaos.Server, c *http.Client) {
			// So that every request of the client is one of its own.
			c.Transport.(*http.Transport).DisableKeepAlives = true
			want, err := s.Expect(url, attempts)
			if err != nil {
				t.Fatal(err)
			}
			r, used := obey(c, url, attempts)
			if got := r.err == nil && r.status == 200; got != want.Gettable || used != want.Attempts {
				t.Fatalf("%s in %d: got it %v (%d, %v) after %d; Expect says %+v", url, attempts, got, r.status, r.err, used, want)
			}
			if want.Gettable && (int64(len(r.body)) != want.Bytes || sum(r.body) != want.SHA256) {
				t.Fatalf("%s: %d bytes, sum %s; Expect says %+v", url, len(r.body), sum(r.body), want)
			}
			if n := s.Stats().Violations; n != 0 {
				t.Fatalf("%s: %d violations by a client that obeys", url, n)
			}
		})
	}
}
