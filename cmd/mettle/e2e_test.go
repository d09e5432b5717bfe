package main

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mccutchen/go-httpbin/v2/httpbin"
	"github.com/mettle-go/mettle/fetch"
)

// A bin is a go-httpbin server that notes the status of every answer it gave to each URL.
type bin struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string][]int // by the value of q, which every URL of a list has to itself
}

func newBin(t *testing.T) *bin {
	b := &bin{seen: make(map[string][]int)}
	app := httpbin.New()
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		key := q.Get("q")
		if key == "" { // a later hop of a redirect
			app.ServeHTTP(w, r)
			return
		}
		if r.URL.Path == "/unstable" {
			// Each attempt at a URL draws its own lot, the same in every run of the test.
			b.mu.Lock()
			nth := len(b.seen[key])
			b.mu.Unlock()
			h := fnv.New32a()
			fmt.Fprint(h, key, nth)
			q.Set("seed", strconv.Itoa(int(h.Sum32())))
			r.URL.RawQuery = q.Encode()
		}
		status := &statusWriter{ResponseWriter: w}
		defer func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.seen[key] = append(b.seen[key], cmp.Or(status.code, http.StatusOK))
		}()
		app.ServeHTTP(status, r)
	}))
	b.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.Start()
	t.Cleanup(b.Close)
	return b
}

type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	w.code = cmp.Or(w.code, code)
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *statusWriter) Flush()                      { w.ResponseWriter.(http.Flusher).Flush() }

// A kind of URL, and what becomes of it.
type sample struct {
	path    string // %d is its number
	n       int
	retried bool       // when it fails
	ok      bool       // in the end; of /unstable the server decides
	moved   bool       // to /get
	kind    fetch.Kind // of the failure
	bytes   int64      // of the body, if ok; -1: unknown
}

const attemptsAtMost = 5

func samples(closed string) []sample {
	list := []sample{
		{path: "/unstable?failure_rate=0.3&q=%d", n: 1400, retried: true, kind: fetch.KindStatus},
		{path: "/status/200?q=%d", n: 270, ok: true},
		{path: "/status/204?q=%d", n: 100, ok: true},
		{path: "/delay/0.05?q=%d", n: 300, ok: true, bytes: -1},
		{path: "/drip?duration=0.1s&delay=0s&numbytes=10&q=%d", n: 300, ok: true, bytes: 10},
		{path: "/redirect/3?q=%d", n: 200, ok: true, moved: true, bytes: -1},
		{path: "/status/301?q=%d", n: 100, ok: true, moved: true, bytes: -1},
		{path: "/bytes/1000?q=%d", n: 500, ok: true, bytes: 1000},
		{path: "/stream-bytes/70000?q=%d", n: 200, ok: true, bytes: 70000},
		{path: "/gzip?q=%d", n: 100, ok: true, bytes: -1},
		{path: "http://" + closed + "/?q=%d", n: 100, retried: true, kind: fetch.KindRefused},
	}
	for _, code := range []int{400, 401, 403, 404, 410, 418, 501, 505} {
		list = append(list, sample{path: fmt.Sprintf("/status/%d?q=%%d", code), n: 100, kind: fetch.KindStatus})
	}
	// They are few, since they slow down all requests to the server.
	list = append(list, sample{path: "/status/429?q=%d", n: 30, retried: true, kind: fetch.KindStatus})
	for _, code := range []int{408, 425, 500, 502, 503, 504} {
		list = append(list, sample{path: fmt.Sprintf("/status/%d?q=%%d", code), n: 100, retried: true, kind: fetch.KindStatus})
	}
	return list
}

// Five thousand URLs of all kinds on a real server: each ends as it must, after as many requests as it must take, and the
// record says so.
func TestFiveThousandURLs(t *testing.T) {
	t.Parallel()
	server := newBin(t)
	closed, release := closedPort(t)
	defer release()

	var lines []string
	origin := make(map[string]sample)
	for _, s := range samples(closed) {
		for range s.n {
			u := fmt.Sprintf(s.path, len(lines))
			if strings.HasPrefix(u, "/") {
				u = server.URL + u
			}
			origin[u] = s
			lines = append(lines, u)
		}
	}
	if len(lines) != 5000 || len(origin) != 5000 {
		t.Fatalf("the list has %d lines, %d of them different", len(lines), len(origin))
	}
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })

	var out bytes.Buffer
	sink := &stream{w: &out}
	counts, err := fetch.Run(t.Context(), fetch.Config{
		Concurrency: 64, PerHost: 64, Attempts: attemptsAtMost,
		Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
		Park: 5 * time.Millisecond, MaxPark: 50 * time.Millisecond, Patience: 100 * time.Millisecond,
	}, fetch.Lines("list", strings.NewReader(strings.Join(lines, "\n"))), sink)
	if err != nil {
		t.Fatal(err)
	}

	records := recordsOf(t.Fatalf, out.String())
	if counts.Done() != 5000 || len(records) != 5000 {
		t.Errorf("%d records, counted %d", len(records), counts.Done())
	}
	recovered := 0
	for _, r := range records {
		s, listed := origin[r.URL]
		if !listed {
			t.Errorf("%s was not asked for, or has two records", r.URL)
			continue
		}
		delete(origin, r.URL)
		server.check(t, r, s)
		if r.OK && len(r.Attempts) > 1 {
			recovered++
		}
	}
	for u := range origin {
		t.Errorf("%s has no record", u)
	}
	if recovered < 300 {
		t.Errorf("%d recovered from a failure, want about 450", recovered)
	}
}

// check compares a record to what the server did, and that to what s says.
func (b *bin) check(t *testing.T, r fetch.Record, s sample) {
	t.Helper()
	_, key, _ := strings.Cut(r.URL, "q=")
	b.mu.Lock()
	answers := b.seen[key]
	b.mu.Unlock()

	ok, requests := s.ok, 1
	if strings.HasPrefix(s.path, "/unstable") {
		ok = len(answers) > 0 && answers[len(answers)-1] == http.StatusOK
		requests = len(answers)
		for i, status := range answers {
			if status == http.StatusOK && i < len(answers)-1 {
				t.Errorf("%s was asked again after an answer 200: %v", r.URL, answers)
			}
		}
		if !ok && requests != attemptsAtMost {
			t.Errorf("%s was given up after %v", r.URL, answers)
		}
	} else if s.retried {
		requests = attemptsAtMost
	}
	if r.OK != ok || !ok && (r.Error == nil || r.Error.Kind != s.kind || r.Error.Retryable != s.retried) {
		t.Errorf("%s is %s (%v) after %v, want ok %v, %s", r.URL, r.Outcome, r.Error, answers, ok, s.kind)
	}
	if s.kind == fetch.KindRefused && len(answers) == 0 {
		answers = make([]int, len(r.Attempts)) // nobody saw them
	}
	most := requests
	if r.Status == http.StatusTooManyRequests {
		most *= 4 // its neighbors may be to blame for three in four
	}
	if s.kind == fetch.KindRefused {
		most += 10 // probes of a host that is down
	}
	if n := len(r.Attempts); n < requests || n > most || len(answers) != n {
		t.Errorf("%s has %d attempts, the server saw %v, want %d to %d", r.URL, n, answers, requests, most)
		return
	}
	for i, a := range r.Attempts {
		if a.N != i+1 || a.Status != answers[i] && !s.moved {
			t.Errorf("%s: attempt %d says %d, the server %v", r.URL, a.N, a.Status, answers)
		}
	}
	if r.OK && s.bytes >= 0 && r.Bytes != s.bytes {
		t.Errorf("%s has %d bytes, want %d", r.URL, r.Bytes, s.bytes)
	}
	if r.OK && (r.SHA256 == "" || !r.Complete) {
		t.Errorf("%s is ok, but %+v", r.URL, r)
	}
	if s.moved != (r.FinalURL == b.URL+"/get") {
		t.Errorf("%s ended at %q", r.URL, r.FinalURL)
	}
}
