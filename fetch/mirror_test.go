package fetch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
			items = append(items, Item{URL: fmt.Sprintf("http://a/status/429/%d?heal=1", i)})
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
		if served[""] < 300 || served["http://b"] < 40 {
			t.Errorf("served by %v, want both", served)
		}
		if took := time.Since(begin); took > 150*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// An item that waits for a host on hold, as the mirror's hold was longer, goes over when that one's is over and its own has become longer.
func TestItemsLeaveAHoldThatGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(map[string][]act{
			"a": {{status: 429, hint: "3"}, {status: 429, hint: "290"}, {status: 200}},
			"b": {{status: 429, hint: "100"}, {status: 200}},
		})
		items := []Item{{URL: "http://a/"}, {URL: "http://b/"}, mirrored("/1", "a", "b"), mirrored("/2", "a", "b"), mirrored("/3", "a", "b")}
		sink := &collector{t: t}
		if _, err := Run(t.Context(), Config{Transport: st, PerHost: 1}, Items(items...), sink); err != nil {
			t.Fatal(err)
		}
		begin := sink.byID()["http://b/"].Started
		for id, r := range sink.byID() {
			if end := r.Started.Add(time.Duration(r.ElapsedMS) * time.Millisecond).Sub(begin); !r.OK || id != "http://a/" && end > 115*time.Second {
				t.Errorf("%s: %v after %v: %s", id, r.OK, end, asked(r))
			}
		}
	})
}

// The last failure says that a later run would not help, but at another place it may.
func TestAFailureIsRetryableIfOnePlaceIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStage(map[string][]act{"a": {{status: 500}}, "b": {{status: 500}, {status: 404}}})
		r := one(t, Config{Transport: st, Attempts: 2}, mirrored("/", "a", "b"))
		if got := asked(r); got != "url 500, b 500, url 500, b 404" || r.OK || !r.Error.Retryable || r.Status != 404 {
			t.Errorf("%s: %+v", got, r.Error)
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
		probes := 0
		for _, it := range items {
			r := got[it.id()]
			count := map[string]int{}
			for _, a := range r.Attempts {
				count[a.Mirror]++
			}
			probes += len(r.Attempts) - 4
			if r.OK || r.Mirror != "" || count[""] < 2 || count[it.Mirrors[0]] < 2 || !r.Error.Retryable {
				t.Errorf("%s: %s; want two attempts at each", it.URL, asked(r))
			}
		}
		if probes < 4 || probes > 16 { // of two hosts, with a patience of 30 s
			t.Errorf("%d attempts were probes", probes)
		}
		if took := time.Since(begin); took > 3*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// Items with up to four places each, of every fault, hedged, and saved: an item is ok if any of its places is one to be had, and then it is that
// place's body.
func TestHostileMirrorsSeedBySeed(t *testing.T) {
	paths := []string{
		"/ok/%d?body=%d&size=3000", "/status/404/%d?body=%d", "/status/500/%d?heal=2&body=%d", "/status/503/%d?heal=1&after=1&body=%d",
		"/status/429/%d?heal=2&body=%d", "/status/503/%d?after=huge&body=%d", "/reset/%d?heal=1&body=%d", "/reset/%d?body=%d",
		"/short/%d?size=4096&heal=2&body=%d", "/cut-chunk/%d?body=%d", "/reset-body/%d?size=9000&body=%d", "/slow-headers/%d?for=3s&body=%d",
		"/slow-headers/%d?heal=1&body=%d", "/slow-headers/%d?body=%d", "/stall/%d?heal=1&body=%d", "/loop/%d?body=%d",
	}
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			n := inMemory(t, seed)
			rng := rand.New(rand.NewPCG(seed, 9))
			var items []Item
			for i := range 150 {
				it := Item{ID: fmt.Sprint(i)}
				for range 1 + rng.IntN(4) {
					path := paths[rng.IntN(len(paths))]
					it.Mirrors = append(it.Mirrors, fmt.Sprintf("http://h%d"+path, rng.IntN(6), i, i))
				}
				it.URL, it.Mirrors = it.Mirrors[0], it.Mirrors[1:]
				items = append(items, it)
			}
			got := n.items(t, Config{
				PerHost: 4, Patience: 20 * time.Second, Timeout: 6 * time.Second, Stall: 3 * time.Second, Hedge: time.Second, Dir: t.TempDir(),
			}, items...)
			for _, it := range items {
				r := got[it.ID]
				want := ""
				for i := range 1 + len(it.Mirrors) {
					e, err := n.Expect(it.place(i), 5)
					if err != nil {
						t.Fatal(err)
					}
					if served := r.OK && (r.Mirror == it.place(i) || i == 0 && r.Mirror == ""); served && (e.SHA256 != r.SHA256 || e.Bytes != r.Bytes) {
						t.Errorf("%s: %d bytes, %s; %s has %d, %s", it.ID, r.Bytes, r.SHA256, it.place(i), e.Bytes, e.SHA256)
					}
					if e.Gettable {
						want = it.place(i)
					}
				}
				if !r.OK && want != "" || r.OK && want == "" {
					t.Errorf("%s is %v, %v after %s; want %q", it.ID, r.OK, r.Error, asked(r), want)
				}
				if b, err := os.ReadFile(r.Path); r.OK && (err != nil || sumOf(b) != r.SHA256) {
					t.Errorf("%s: its file is not what the record says: %v", it.ID, err)
				}
				if !r.OK && strings.Contains(fmt.Sprint(r.Path, r.Mirror), "/") {
					t.Errorf("%s failed and has path %q, mirror %q", it.ID, r.Path, r.Mirror)
				}
			}
			if v := n.Stats().Violations; v != 0 {
				t.Errorf("%d requests broke a hold", v)
			}
		})
	}
}
