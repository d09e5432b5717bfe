package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
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

// A short story for each kind of failure: where the item goes after it, and whether it waits.
func TestMirrorsAreTriedInTurn(t *testing.T) {
	good := "/ok?body=x&size=3000"
	for _, tc := range []struct {
		name   string
		item   Item
		off    []string
		asked  string
		mirror string // "" also if the item fails
		kind   Kind
		again  bool // Error.Retryable
		waits  int  // attempts that wait
	}{
		{name: "the first is good", item: mirrored(good, "a", "b"), asked: "url 200"},
		{name: "the first is down", item: mirrored(good, "a", "b", "c"), off: []string{"a"}, asked: "url refused, b 200", mirror: "http://b" + good},
		{name: "two are down", item: mirrored(good, "a", "b", "c"), off: []string{"a", "b"}, asked: "url refused, b refused, c 200", mirror: "http://c" + good},
		{name: "all are down", item: mirrored(good, "a", "b"), off: []string{"a", "b"},
			asked: "url refused, b refused, url refused, b refused, url refused, b refused", kind: KindRefused, again: true, waits: 4},
		{name: "the first is gone", item: Item{URL: "http://a/status/404", Mirrors: []string{"http://b" + good}},
			asked: "url 404, b 200", mirror: "http://b" + good},
		{name: "all are gone", item: mirrored("/status/410", "a", "b", "c"), asked: "url 410, b 410, c 410", kind: KindStatus},
		{name: "gone at one, down at the other", item: Item{URL: "http://a/status/404", Mirrors: []string{"http://b" + good}}, off: []string{"b"},
			asked: "url 404, b refused, b refused, b refused", kind: KindRefused, again: true, waits: 2},
		{name: "down at one, gone at the other, heals", item: Item{URL: "http://a/status/500?heal=1&body=x", Mirrors: []string{"http://b/status/404"}},
			asked: "url 500, b 404, url 200", waits: 1},
		{name: "the last says 404, but another may be good one day",
			item:  Item{URL: "http://a/status/503", Mirrors: []string{"http://b/status/404", "http://c/status/403"}},
			asked: "url 503, b 404, c 403, url 503, url 503", kind: KindStatus, again: true, waits: 2},
		{name: "too long a hint", item: Item{URL: "http://a/status/503?after=huge", Mirrors: []string{"http://b" + good}},
			asked: "url 503, b 200", mirror: "http://b" + good},
		{name: "cut", item: Item{URL: "http://a/short?body=x&size=3000", Mirrors: []string{"http://b" + good}}, asked: "url 200, b 200", mirror: "http://b" + good},
		{name: "too many redirects", item: Item{URL: "http://a/loop", Mirrors: []string{"http://b" + good}},
			asked: "url 302, b 200", mirror: "http://b" + good},
		{name: "a mirror that redirects", item: Item{URL: "http://a/status/404", Mirrors: []string{"http://b/redirect?to=http%3A%2F%2Fc%2Fok"}},
			asked: "url 404, b 200", mirror: "http://b/redirect?to=http%3A%2F%2Fc%2Fok"},
		{name: "a mirror that redirects to a host that is down", item: Item{URL: "http://a/status/404",
			Mirrors: []string{"http://b/redirect?to=http%3A%2F%2Fc%2Fok", "http://d" + good}}, off: []string{"c"},
			asked: "url 404, b refused, d 200", mirror: "http://d" + good},
		{name: "a POST that was seen", item: Item{Method: "POST", URL: "http://a/status/500", Mirrors: []string{"http://b" + good}}, asked: "url 500", kind: KindStatus,
			again: true},
		{name: "a POST that nobody saw", item: Item{Method: "POST", URL: "http://a" + good, Mirrors: []string{"http://b" + good}}, off: []string{"a"},
			asked: "url refused, b 200", mirror: "http://b" + good},
		{name: "a wrong checksum, once at each, then at none", kind: KindChecksum, waits: 2,
			item: Item{URL: "http://a" + good, Mirrors: []string{"http://b/ok"}, SHA256: strings.Repeat("ab", 32)}, asked: "url 200, b 200, url 200, b 200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := inMemory(t, 1)
				n.on(tc.off...)
				r := n.items(t, Config{Attempts: 3}, tc.item)[tc.item.id()]
				if got := asked(r); got != tc.asked {
					t.Errorf("asked: %s; want %s", got, tc.asked)
				}
				if r.OK != (tc.kind == "") || r.Mirror != tc.mirror {
					t.Errorf("%v, mirror %q, %v; want kind %q, mirror %q", r.OK, r.Mirror, r.Error, tc.kind, tc.mirror)
				}
				if e := r.Error; e != nil && (e.Kind != tc.kind || e.Retryable != tc.again) {
					t.Errorf("error %+v, want %s, retryable %v", e, tc.kind, tc.again)
				}
				waits := 0
				for _, a := range r.Attempts {
					if a.WaitMS > 0 {
						waits++
					}
				}
				if waits > tc.waits {
					t.Errorf("%d attempts waited, want at most %d: %+v", waits, tc.waits, r.Attempts)
				}
				if sum, err := n.Expect("http://a"+good, 1); tc.mirror != "" && strings.HasSuffix(tc.mirror, good) && (err != nil || r.SHA256 != sum.SHA256) {
					t.Errorf("SHA-256 %s, want %s, %v", r.SHA256, sum.SHA256, err)
				}
			})
		})
	}
}

// Of a thousand items only those ask a dead host that find out that it is, and a probe now and then. The others go to the mirror at once.
func TestADeadHostIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		board := n.on("dead")
		var items []Item
		for i := range 1000 {
			items = append(items, mirrored(fmt.Sprintf("/ok/%d", i), "dead", "good"))
		}
		begin := time.Now()
		got := n.items(t, Config{}, items...)
		for _, it := range items {
			if r := got[it.id()]; !r.OK || r.Mirror != it.Mirrors[0] || len(r.Attempts) > 2 {
				t.Errorf("%s: %v, mirror %q, %+v", it.URL, r.OK, r.Mirror, r.Attempts)
			}
		}
		if tried := board.tried("dead"); tried < 16 || tried > 40 {
			t.Errorf("the dead host was asked %d times, want some 16 until that is known", tried)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("took %v, want no wait", took)
		}
	})
}

// Mirrors that are slow to answer let the list take long: in that time the dead host recovers, is found out by a probe, and gets the rest.
func TestAHostThatRecoversIsFirstAgain(t *testing.T) {
	for _, patience := range []time.Duration{time.Hour, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			n := inMemory(t, 1)
			board := n.on("a")
			go func() {
				time.Sleep(90 * time.Second)
				board.set("a", false)
			}()
			var items []Item
			for i := range 400 {
				items = append(items, mirrored(fmt.Sprintf("/slow-headers/%d?for=4s", i), "a", "b"))
			}
			got := n.items(t, Config{Window: 20, Patience: patience, MaxPark: 10 * time.Second}, items...)
			early, late := 0, 0
			for _, it := range items {
				r := got[it.id()]
				if !r.OK {
					t.Errorf("%s: %v", it.URL, r.Error)
				}
				if r.Mirror == "" {
					late++
				} else {
					early++
				}
			}
			if early < 150 || late < 150 {
				t.Errorf("patience %v: %d items from the mirror, %d from the host that recovered, want half and half", patience, early, late)
			}
			if tried := board.tried("a"); tried > late+60 {
				t.Errorf("patience %v: the host was asked %d times for %d items", patience, tried, late)
			}
		})
	}
}

// A host on hold: what waits for it goes over to the mirror, and so does what comes; items without mirrors wait.
func TestItemsLeaveAHostOnHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		items := []Item{{URL: "http://a/hold?for=60s"}}
		for i := range 300 {
			items = append(items, mirrored(fmt.Sprintf("/ok/%d", i), "a", "b"))
			if i%50 == 0 {
				items = append(items, Item{URL: fmt.Sprintf("http://a/ok/only/%d", i)})
			}
		}
		begin := time.Now()
		got := n.items(t, Config{PerHost: 4, Window: 50}, items...)
		for _, it := range items {
			r := got[it.id()]
			end := r.Started.Add(time.Duration(r.ElapsedMS) * time.Millisecond).Sub(begin)
			switch alone := it.Mirrors == nil; {
			case !r.OK:
				t.Errorf("%s: %v", it.URL, r.Error)
			case !alone && end > time.Second:
				t.Errorf("%s waited %v though it has a mirror", it.URL, end)
			case alone && r.Mirror != "":
				t.Errorf("%s: mirror %q", it.URL, r.Mirror)
			}
		}
		if v := n.Stats().Violations; v != 0 {
			t.Errorf("%d requests broke the hold", v)
		}
	})
}

// A host that asks by 429, without a word on until when, to be asked slowly: while it is given time, the mirror serves, and then it is tried again
// and gets its share.
func TestItemsLeaveAHostThatIsAskedTooFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		var items []Item
		for i := range 4 {
			items = append(items, Item{URL: fmt.Sprintf("http://a/status/429/%d?heal=2", i)})
		}
		for i := range 900 {
			items = append(items, mirrored(fmt.Sprintf("/slow-headers/%d?for=1s", i), "a", "b"))
		}
		begin := time.Now()
		got := n.items(t, Config{PerHost: 10, Window: 40}, items...)
		served := map[string]int{}
		for _, it := range items {
			r := got[it.id()]
			if !r.OK {
				t.Errorf("%s: %v", it.URL, r.Error)
			}
			served[r.Mirror[:min(len(r.Mirror), len("http://b"))]]++
		}
		if served[""] < 300 || served["http://b"] < 100 {
			t.Errorf("served by %v, want both", served)
		}
		if took := time.Since(begin); took > 150*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// All places are down for a while: items wait, as they would for one host, use up no attempt, and go where a host recovers first.
func TestAllMirrorsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		board := n.on("a", "b", "c")
		go func() {
			time.Sleep(60 * time.Second)
			board.set("b", false)
		}()
		var items []Item
		for i := range 500 {
			items = append(items, mirrored(fmt.Sprintf("/ok/%d", i), "a", "b", "c"))
		}
		begin := time.Now()
		got := n.items(t, Config{Patience: 10 * time.Minute}, items...)
		for _, it := range items {
			if r := got[it.id()]; !r.OK || r.Mirror != it.Mirrors[0] {
				t.Errorf("%s: %v, mirror %q", it.URL, r.Error, r.Mirror)
			}
		}
		if took := time.Since(begin); took < 60*time.Second || took > 130*time.Second {
			t.Errorf("took %v, want a minute, a probe and a backoff more", took)
		}
		if tried := board.tried("a") + board.tried("b") + board.tried("c"); tried > 500+200 {
			t.Errorf("asked %d times, want 500 and those that found out", tried)
		}
	})
}

// And where none recovers, each item fails after its attempts at each place.
func TestAllMirrorsDownForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		n.on("a", "b")
		var items []Item
		for i := range 300 {
			items = append(items, mirrored(fmt.Sprintf("/ok/%d", i), "a", "b"))
		}
		begin := time.Now()
		got := n.items(t, Config{Attempts: 2, Patience: 30 * time.Second}, items...)
		for _, it := range items {
			r := got[it.id()]
			count := map[string]int{}
			for _, a := range r.Attempts {
				count[a.Mirror]++
			}
			if r.OK || r.Mirror != "" || count[""] != 2 || count[it.Mirrors[0]] != 2 || !r.Error.Retryable {
				t.Errorf("%s: %s; want two attempts at each", it.URL, asked(r))
			}
		}
		if took := time.Since(begin); took > 3*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// What one server had begun to send is never gone on with by another, whatever that one says of it. Back at the first, it is.
func TestBytesOfTwoMirrorsAreNotSpliced(t *testing.T) {
	const n = 100_000
	cut := send(200, body, n, "ETag", tag)
	for _, tc := range []struct {
		name         string
		first, other []step
		want         []byte
		asked        string
	}{
		{"another body with the same tag", []step{cut}, []step{send(200, other, -1, "ETag", tag)}, other, "url 200, mirror 200"},
		{"a server that sends a part unasked", []step{cut, rest(body, n)}, []step{rest(other, n)}, body, "url 200, mirror 206, url 206"},
		{"errors meanwhile", []step{cut, rest(body, n)}, []step{send(404, nil, -1)}, body, "url 200, mirror 404, url 206"},
		{"cut as well, and there gone on with", []step{cut, cut}, []step{send(200, other, n, "ETag", `"m"`), rest(other, n)}, other, "url 200, mirror 200, mirror 206"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			a, b := scripted(t, tc.first...), scripted(t, tc.other...)
			it := Item{URL: a.URL + "/x", Mirrors: []string{b.URL + "/x"}, SHA256: sumOf(tc.want)}
			r := one(t, Config{Dir: dir, Backoff: 1}, it)
			saved(t, r, dir, tc.want)
			var got []string
			for _, a := range r.Attempts {
				where := "url"
				if a.Mirror != "" {
					where = "mirror"
				}
				got = append(got, fmt.Sprint(where, " ", a.Status))
			}
			if s := strings.Join(got, ", "); s != tc.asked {
				t.Errorf("asked: %s; want %s", s, tc.asked)
			}
			for _, q := range b.requests()[:1] {
				if q != "" {
					t.Errorf("the mirror was asked for %s of what it had not begun to send", q)
				}
			}
		})
	}
}

// A download that gets on stays where it is, for a mirror would have to begin anew.
func TestADownloadThatGetsOnIsNotInterrupted(t *testing.T) {
	big := text(3, 5<<20)
	var steps []step
	for at := 0; at < len(big); at += 2 << 20 {
		end := min(at+2<<20, len(big))
		if at == 0 {
			steps = append(steps, send(200, big, end, "ETag", tag))
		} else {
			steps = append(steps, send(206, big[at:], end-at, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(big)-1, len(big))))
		}
	}
	a, b := scripted(t, steps...), scripted(t, send(200, big, -1))
	dir := t.TempDir()
	r := one(t, Config{Dir: dir, Backoff: 1, Attempts: 2}, Item{URL: a.URL, Mirrors: []string{b.URL}})
	saved(t, r, dir, big)
	if len(b.requests()) != 0 || r.Mirror != "" || len(r.Attempts) != 3 {
		t.Errorf("the mirror was asked %d times; %s", len(b.requests()), asked(r))
	}
}

// An item with mirrors keeps the name of its result and of its file, whoever serves it.
func TestTheMirrorIsNoPartOfTheName(t *testing.T) {
	a, b := scripted(t, send(404, nil, -1)), scripted(t, send(200, body, -1))
	dir := t.TempDir()
	r := one(t, Config{Dir: dir}, Item{URL: a.URL + "/file.bin", Mirrors: []string{b.URL + "/other.txt"}})
	saved(t, r, dir, body)
	plain := scripted(t)
	plain.Close()
	it := Item{URL: a.URL + "/file.bin"}
	if r.ID != it.id() || !strings.HasSuffix(r.Path, bodyPath(it, mustParse(t, it.URL))) || r.Mirror != b.URL+"/other.txt" {
		t.Errorf("id %s, path %s, mirror %s", r.ID, r.Path, r.Mirror)
	}
	line, err := r.Line()
	if err != nil || !strings.Contains(string(line), `"mirror":"`+b.URL+`/other.txt"`) {
		t.Errorf("%s, %v", line, err)
	}
	if id, _, kind, ok := ownResult(slices.Clone(line[:len(line)-1])); !ok || kind != "" || string(id) != it.id() {
		t.Errorf("the line reads as the result %q of %q", kind, id)
	}
}

// FuzzNextPlace compares the choice of the next place to one made the long way: sort all that may be asked by what the rules say, in their order.
func FuzzNextPlace(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{3, 255, 7, 1, 9, 250, 17, 3, 91, 22, 4, 13, 77})
	f.Fuzz(func(t *testing.T, b []byte) {
		draw := func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0]) % n
			b = b[1:]
			return v
		}
		type state struct {
			well bool
			free clock.Instant
		}
		for _, now := range []clock.Instant{-1 << 59, 0} {
			r := &route{places: make([]place, 1+draw(5))}
			n := len(r.places)
			r.last, r.kept, r.stay = draw(n+1)-1, draw(n+1)-1, draw(2) == 0
			hosts := make(map[string]state)
			for i := range r.places {
				h := fmt.Sprint(draw(4))
				hosts[h] = state{draw(2) == 0, now + clock.Instant(draw(9))}
				r.places[i] = place{host: h, tried: draw(2) == 0, out: draw(4) == 0, again: now - 4 + clock.Instant(draw(9))}
			}
			r.stay = r.stay && r.last >= 0 // which an attempt has set
			health := func(h string) (bool, clock.Instant) { return hosts[h].well, hosts[h].free }

			// The model.
			var order []int
			for k := 1; k <= n; k++ {
				if i := (r.last + k + n) % n; !r.places[i].out {
					order = append(order, i)
				}
			}
			value := func(i int) []int64 {
				p := r.places[i]
				h := hosts[p.host]
				switch {
				case r.stay && i == r.last && h.well:
					return []int64{0, 0}
				case h.well && !p.tried:
					return []int64{1, 0}
				case h.well && i == r.kept:
					return []int64{2, 0}
				case h.well:
					return []int64{3, 0}
				case p.tried:
					return []int64{4, max(int64(p.again), int64(h.free))}
				}
				return []int64{4, int64(h.free)}
			}
			slices.SortStableFunc(order, func(i, j int) int { return slices.Compare(value(i), value(j)) })
			i, ok := r.next(now, health)
			if ok != (len(order) > 0) || ok && i != order[0] {
				t.Fatalf("next is %d, %v; want the first of %v\n%+v\n%+v", i, ok, order, r, hosts)
			}
		}
	})
}

func TestRequestsOfAnItemGoToItsPlace(t *testing.T) {
	it := Item{URL: "http://a/x", Mirrors: []string{"http://b/y"}, Header: map[string]string{"X": "1"}}
	req, err := it.request(it.place(1), http.Header{"Y": {"2"}})
	if err != nil || req.URL.String() != "http://b/y" || req.Host != "b" || req.Header.Get("X")+req.Header.Get("Y") != "12" {
		t.Errorf("%+v, %v", req, err)
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
