package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An act is how a stage answers a request: after a wait, by a status and a body, or not at all.
type act struct {
	after  time.Duration
	status int // 0: an error
	body   string
	hint   string
	header http.Header
	length int           // announced; 0: the body's
	hang   time.Duration // in the middle of the body
}

// A stage is a transport that answers the nth request for a host by the host's nth act, and by its last one from then on; a URL may have acts of
// its own.
type stage struct {
	mu       sync.Mutex
	acts     map[string][]act
	begun    map[string]int
	canceled int // requests that were before they had an answer
	read     int // bodies of which a byte was read
	open     int // bodies
}

func newStage(acts map[string][]act) *stage { return &stage{acts: acts, begun: make(map[string]int)} }

func (s *stage) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	acts, ok := s.acts[req.URL.Host+req.URL.Path]
	if !ok {
		acts = s.acts[req.URL.Host]
	}
	a := acts[min(s.begun[req.URL.Host], len(acts)-1)]
	s.begun[req.URL.Host]++
	s.mu.Unlock()
	select {
	case <-time.After(a.after):
	case <-req.Context().Done():
		s.mu.Lock()
		s.canceled++
		s.mu.Unlock()
		return nil, req.Context().Err()
	}
	if a.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	h := http.Header{}
	maps.Copy(h, a.header)
	if a.hint != "" {
		h.Set("Retry-After", a.hint)
	}
	s.mu.Lock()
	s.open++
	s.mu.Unlock()
	return &http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Header: h, ContentLength: int64(cmp.Or(a.length, len(a.body))), Request: req,
		Body: &stageBody{s: s, ctx: req.Context(), rest: a.body, hang: a.hang},
	}, nil
}

type stageBody struct {
	s    *stage
	ctx  context.Context
	rest string
	hang time.Duration
	once bool
}

func (b *stageBody) Read(p []byte) (int, error) {
	if !b.once {
		b.once = true
		b.s.mu.Lock()
		b.s.read++
		b.s.mu.Unlock()
		select {
		case <-time.After(b.hang):
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	n := copy(p, b.rest)
	if b.rest = b.rest[n:]; b.rest == "" {
		return n, io.EOF
	}
	return n, nil
}

func (b *stageBody) Close() error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.open--
	return nil
}

func TestHedge(t *testing.T) {
	const s = time.Second
	good := func(after time.Duration) act { return act{after: after, status: 200, body: "good"} }
	a := Item{URL: "http://a/x"}
	both := Item{URL: "http://a/x", Mirrors: []string{"http://b/x"}}
	for _, tc := range []struct {
		name     string
		item     Item
		acts     map[string][]act
		config   Config
		took     time.Duration
		asked    string // attempts; + is a hedged one
		begun    string // requests by host
		canceled int
		mirror   string
	}{
		{"fast", a, map[string][]act{"a": {good(s / 2)}}, Config{}, s / 2, "url 200", "a:1", 0, ""},
		{"the second is faster", a, map[string][]act{"a": {good(9 * s), good(s / 2)}}, Config{}, s + s/2, "url 200 +", "a:2", 1, ""},
		{"the first is faster after all", a, map[string][]act{"a": {good(2 * s), good(9 * s)}}, Config{}, 2 * s, "url 200 +", "a:2", 1, ""},
		{"both take long", a, map[string][]act{"a": {good(9 * s)}}, Config{}, 9 * s, "url 200 +", "a:2", 1, ""},
		{"a slow body is not hedged", a, map[string][]act{"a": {{after: s / 2, status: 200, body: "good", hang: 5 * s}}}, Config{}, 5*s + s/2, "url 200", "a:1", 0, ""},
		{"nor is a slow error page", a, map[string][]act{"a": {{after: s / 2, status: 404, body: "bad", hang: 5 * s}}}, Config{}, 5*s + s/2, "url 404", "a:1", 0, ""},
		{"the second fails at once", a, map[string][]act{"a": {good(5 * s), {status: 404}}}, Config{}, 5 * s, "url 200 +", "a:2", 0, ""},
		{"the second breaks", a, map[string][]act{"a": {good(5 * s), {after: s}}}, Config{}, 5 * s, "url 200 +", "a:2", 0, ""},
		{"the first fails while the second runs", a, map[string][]act{"a": {{after: 2 * s, status: 500}, good(5 * s)}}, Config{}, 6 * s, "url 200 +", "a:2", 0, ""},
		{"the first breaks while the second runs", a, map[string][]act{"a": {{after: 2 * s}, good(5 * s)}}, Config{}, 6 * s, "url 200 +", "a:2", 0, ""},
		{"both fail", a, map[string][]act{"a": {{after: 2 * s, status: 500}, {after: 5 * s, status: 502}, good(0)}}, Config{Backoff: 1}, 6 * s,
			"url 502 +, url 200", "a:3", 0, ""},
		{"both fail, and nothing helps", a, map[string][]act{"a": {{after: 2 * s, status: 500}, {after: 5 * s, status: 404}}}, Config{}, 6 * s,
			"url 404 +", "a:2", 0, ""},
		{"both take too long", a, map[string][]act{"a": {good(99 * s), good(99 * s), good(0)}}, Config{Backoff: 1, Timeout: 7 * s}, 7 * s,
			"url timeout +, url 200", "a:3", 2, ""},
		{"no room at the host", a, map[string][]act{"a": {good(9 * s), good(0)}}, Config{PerHost: 1}, 9 * s, "url 200", "a:1", 0, ""},
		{"no room at all", both, map[string][]act{"a": {good(9 * s)}, "b": {good(0)}}, Config{Concurrency: 1}, 9 * s, "url 200", "a:1 b:0", 0, ""},
		{"no place in the rate", both, map[string][]act{"a": {good(9 * s)}, "b": {good(0)}}, Config{Rate: 0.1}, 9 * s, "url 200", "a:1 b:0", 0, ""},
		{"a POST", Item{Method: "POST", URL: a.URL}, map[string][]act{"a": {good(9 * s)}}, Config{}, 9 * s, "url 200", "a:1", 0, ""},
		{"a HEAD", Item{Method: "HEAD", URL: a.URL}, map[string][]act{"a": {{after: 9 * s, status: 204}, {status: 204}}}, Config{}, s, "url 204 +", "a:2", 1, ""},
		{"a mirror", both, map[string][]act{"a": {good(9 * s)}, "b": {good(s)}}, Config{PerHost: 1}, 2 * s, "b 200 +", "a:1 b:1", 1, "http://b/x"},
		{"a mirror at another host before one at the same", Item{URL: "http://a/x", Mirrors: []string{"http://a/y", "http://b/x"}},
			map[string][]act{"a": {good(9 * s)}, "b": {good(s)}}, Config{}, 2 * s, "b 200 +", "a:1 b:1", 1, "http://b/x"},
		{"a mirror that is slower", both, map[string][]act{"a": {good(3 * s)}, "b": {good(9 * s)}}, Config{}, 3 * s, "url 200 +", "a:1 b:1", 1, ""},
		{"a mirror without it, and the first breaks", both, map[string][]act{"a": {{after: 3 * s}, good(0)}, "b": {{status: 404}}}, Config{Backoff: 1}, 3 * s,
			"url reset +, b 404, url 200", "a:2 b:2", 0, ""},
		{"the first breaks, then a mirror without it", both, map[string][]act{"a": {{after: 2 * s}, good(0)}, "b": {{after: 3 * s, status: 404}}}, Config{Backoff: 1},
			4 * s, "b 404 +, url 200", "a:2 b:1", 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := newStage(tc.acts)
				tc.config.Transport, tc.config.Hedge, tc.config.Meter = st, s, new(Meter)
				begin := time.Now()
				r := one(t, tc.config, tc.item)
				if took := time.Since(begin); took.Round(s/100) != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
				var got []string
				for i, text := range strings.Split(asked(r), ", ") {
					if r.Attempts[i].Hedged {
						text += " +"
					}
					got = append(got, text)
				}
				if s := strings.Join(got, ", "); s != tc.asked || r.Mirror != tc.mirror {
					t.Errorf("asked: %s, mirror %q; want %s, %q", s, r.Mirror, tc.asked, tc.mirror)
				}
				var begun []string
				total := 0
				for host := range tc.acts {
					begun = append(begun, fmt.Sprintf("%s:%d", host, st.begun[host]))
					total += st.begun[host]
				}
				slices.Sort(begun)
				if s := strings.Join(begun, " "); s != tc.begun || st.canceled != tc.canceled || st.open != 0 {
					t.Errorf("requests %s, %d canceled, %d bodies left open; want %s, %d, 0", s, st.canceled, st.open, tc.begun, tc.canceled)
				}
				if c := tc.config.Meter.Counts(); c.Attempts != int64(total) || c.Running != 0 || c.Waiting != 0 {
					t.Errorf("counted %+v, want %d requests", c, total)
				}
				if want := r.Attempts[0].DurationMS; r.OK && len(r.Attempts) == 1 && want != tc.took.Milliseconds() {
					t.Errorf("the attempt lasts %d ms, want that of both requests, %v", want, tc.took)
				}
			})
		})
	}
}

// Two good headers in the same instant: one body is read, the other request is closed unread.
func TestTheBodyOfTheLoserIsNotRead(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			st := newStage(map[string][]act{"a": {{after: 3 * time.Second, status: 200, body: "x"}, {after: 2 * time.Second, status: 200, body: "x"}}})
			r := one(t, Config{Transport: st, Hedge: time.Second}, Item{URL: "http://a/"})
			if !r.OK || st.read != 1 || st.open != 0 || st.begun["a"] != 2 {
				t.Errorf("%+v: %d bodies read, %d open, %d requests", r, st.read, st.open, st.begun["a"])
			}
		})
	}
}

// When a server becomes slow for all, hedges must not double its load.
func TestHedgesAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(map[string][]act{})
		var urls []string
		for i := range 2000 {
			st.acts["a"] = append(st.acts["a"], act{after: time.Duration(2000+i*7919%6000) * time.Millisecond, status: 200, body: "x"})
			urls = append(urls, fmt.Sprintf("http://a/%d", i))
		}
		sink := &collector{t: t}
		begin := time.Now()
		counts, err := Run(t.Context(), Config{Transport: st, Hedge: time.Second, PerHost: 50}, URLs(urls...), sink)
		if err != nil || counts.OK != 2000 {
			t.Fatalf("%+v, %v", counts, err)
		}
		hedges := st.begun["a"] - 2000
		most := 2000/20 + int(time.Since(begin)/time.Second) + 10
		if hedges < most-40 || hedges > most {
			t.Errorf("%d hedges, want about as many as may be, %d", hedges, most)
		}
		if counts.Attempts != int64(st.begun["a"]) {
			t.Errorf("%d requests counted, %d made", counts.Attempts, st.begun["a"])
		}
	})
}

// A host that wants to be left alone gets no second request either, nor does one that is down; a loser does not speak against its host.
func TestHedgesKeepHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(map[string][]act{"a": {{after: 3 * time.Second, status: 200, body: "x"}}, "a/2": {{status: 429, hint: "30"}}})
		sink := &collector{t: t}
		_, err := Run(t.Context(), Config{Transport: st, Hedge: time.Second, Backoff: 1, Attempts: 1}, URLs("http://a/1", "http://a/2"), sink)
		got := sink.byID()
		if err != nil || !got["http://a/1"].OK || got["http://a/1"].Attempts[0].Hedged {
			t.Errorf("%v, %+v", err, got["http://a/1"])
		}
	})
	synctest.Test(t, func(t *testing.T) {
		slow := act{after: time.Minute, status: 200, body: "x"}
		st := newStage(map[string][]act{"a": {slow}, "b": {{after: time.Second, status: 200, body: "x"}}})
		var items []Item
		for i := range 60 { // more losers in a row than a breaker takes
			items = append(items, mirrored(fmt.Sprintf("/%d", i), "a", "b"))
		}
		sink := &collector{t: t}
		_, err := Run(t.Context(), Config{Transport: st, Hedge: time.Second, Timeout: 2 * time.Minute, Window: 1}, Items(items...), sink)
		for id, r := range sink.byID() {
			if err != nil || !r.OK || len(r.Attempts) != 1 || !r.Attempts[0].Hedged {
				t.Errorf("%s: %+v, %v; want the first place to be asked each time", id, r.Attempts, r.Error)
			}
		}
	})
}

// A hedge that wins brings the file; a body of which there is a part already is not hedged, as the rest is wanted.
func TestHedgedBodiesAreSaved(t *testing.T) {
	release := make(chan struct{})
	slow := func(then step) step {
		return func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
				then(w, r)
			case <-r.Context().Done():
			}
		}
	}
	dir := t.TempDir()
	srv := scripted(t, slow(send(200, other, -1)), send(200, body, -1, "ETag", tag))
	r := one(t, Config{Dir: dir, Hedge: time.Millisecond}, Item{URL: srv.URL, SHA256: sumOf(body)})
	saved(t, r, dir, body)
	if len(r.Attempts) != 1 || !r.Attempts[0].Hedged {
		t.Errorf("%+v", r.Attempts)
	}
}

// What is asked for is the rest of a body, and a second request would have to bring all of it.
func TestTheRestOfABodyIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		st := newStage(map[string][]act{"a": {
			{status: 200, body: string(body[:n]), header: http.Header{"Etag": {tag}}, length: len(body)},
			{after: 9 * time.Second, status: 206, body: string(body[n:]), header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", n, len(body)-1, len(body))}}},
			{status: 200, body: string(other)},
		}})
		dir := t.TempDir()
		r := one(t, Config{Transport: st, Dir: dir, Hedge: time.Second}, Item{URL: "http://a/"})
		saved(t, r, dir, body)
		if st.begun["a"] != 2 || r.Attempts[1].Hedged {
			t.Errorf("%d requests, %+v", st.begun["a"], r.Attempts)
		}
	})
}

// Ends of the run that come while both requests are under way leave the item to do, and nothing behind.
func TestARunEndsWithinARace(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			st := newStage(map[string][]act{"a": {{after: time.Hour, status: 200}}})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stop := make(chan struct{})
			go func() {
				time.Sleep(5 * time.Second)
				if graceful {
					close(stop)
				} else {
					cancel()
				}
			}()
			sink := &collector{t: t}
			counts, err := Run(ctx, Config{Transport: st, Hedge: time.Second, Stop: stop, Timeout: 2 * time.Hour, Grace: 3 * time.Second, Dir: t.TempDir()},
				URLs("http://a/"), sink)
			want := context.Canceled
			if graceful {
				want = ErrStopped
			}
			if !errors.Is(err, want) || counts.Left() != 1 || len(sink.records) != 0 || st.begun["a"] != 2 || st.canceled != 2 {
				t.Errorf("%v, %+v, %d requests, %d canceled", err, counts, st.begun["a"], st.canceled)
			}
		})
	}
}

func TestAHedgeAtTheInstantOfARedirectReadsNothingOfTheFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(counter)
		w := c.serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			time.Sleep(100 * time.Millisecond)
			if r.URL.Host == "a.test" {
				return answer(r, 302, "", "Location", "http://b.test"+r.URL.Path), nil
			}
			return answer(r, 200, "x"), nil
		})
		fetchAll(t, Config{Hedge: 100 * time.Millisecond, PerHost: 64}, w, many(300, "http://a.test/%d")...)
	})
}

// The second request has only what the first has left of the time. If that is not enough, it says nothing of the mirror, nor of its host.
func TestASecondRequestThatCameTooLateIsNotHeldAgainstItsMirror(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		w := new(counter).serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			if r.URL.Host != "good.test" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			asked = append(asked, at)
			select {
			case <-time.After(2 * time.Second):
				return answer(r, 200, "x"), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		})
		for range 20 { // for both end in the same instant, and either may be heard first
			asked = nil
			it := Item{URL: "http://dark.test/", Mirrors: []string{"http://good.test/"}}
			r := one(t, Config{Transport: w, Hedge: 4 * time.Second, Timeout: 5 * time.Second, Attempts: 1}, it)
			if !r.OK || r.Mirror == "" || len(r.Attempts) != 2 || r.Attempts[0].Mirror != "" || !r.Attempts[0].Hedged || len(asked) != 2 {
				t.Fatalf("%v %+v, the mirror was asked %d times", r.Error, r.Attempts, len(asked))
			}
		}
	})
}
