package chaos_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

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
