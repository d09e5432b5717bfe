package fetch

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// An origin answers 404 to paths that begin with /gone, unless healed, and 200 to all others. It counts requests by URL.
type origin struct {
	mu     sync.Mutex
	seen   map[string]int
	healed bool
}

func (o *origin) RoundTrip(req *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = make(map[string]int)
	}
	o.seen[req.URL.String()]++
	resp := &http.Response{StatusCode: 200, ProtoMajor: 1, Body: io.NopCloser(strings.NewReader("body")), ContentLength: 4, Request: req, Header: http.Header{}}
	if strings.HasPrefix(req.URL.Path, "/gone") && !o.healed {
		resp.StatusCode = 404
	}
	return resp, nil
}

// A quick file is not synced: these tests pull no plug.
type quick struct{ *os.File }

func (quick) Sync() error { return nil }

// A resumption is one run over a file of results.
type resumption struct {
	counts    Counts
	requests  map[string]int
	unmatched int64
}

func resumed(t *testing.T, name string, c JournalConfig, healed bool, src Source) (r resumption, err error) {
	t.Helper()
	o := &origin{healed: healed}
	synctest.Test(t, func(t *testing.T) {
		var j *Journal
		if j, err = OpenJournal(name, c); err != nil {
			return
		}
		if !c.RetryFailed {
			j.file = quick{j.file.(*os.File)}
		}
		// One at a time, since of two items with the same id it is the first that a result is taken for.
		r.counts, err = Run(t.Context(), Config{Transport: o, Concurrency: 1}, src, j)
		r.unmatched = j.Unmatched()
		if cerr := j.Close(); err == nil {
			err = cerr
		}
	})
	r.requests = o.seen
	return r, err
}

// nasty is a list with all that may go wrong in the name of an item: what JSON escapes or replaces, names that occur several times, and
// lines that are no items.
func nasty(n int) Source {
	items := []Item{
		{URL: "http://a.test/1"},
		{URL: "http://a.test/1"},
		{ID: `quote " and \ backslash`, URL: "http://a.test/2"},
		{ID: "\t\u2028\x00é<&>\u007f", URL: "http://a.test/3?<&>"},
		{ID: "not \xff\xfe UTF-8", URL: "http://a.test/4"},
		{URL: "http://a.test/5", Method: "PUT"},
		{URL: "http://a.test/gone/1"},
		{ID: "same", URL: "http://a.test/gone/2"},
		{ID: "same", URL: "http://a.test/6"},
		{ID: `{"id":"x","url":"`, URL: "http://a.test/7"},
		{ID: "ends in \\", URL: "http://a.test/8"},
		{},
		{ID: "no URL"},
		{URL: "ftp://a.test/"},
		{URL: "ftp://a.test/"},
		{URL: "http://a.test/\xff"},
		{ID: `"error":{"kind":"dns"`, URL: "http://a.test/gone/3"},
	}
	lines := strings.Join([]string{
		"http://a.test/1", strings.Repeat("é", 120) + " cut within a rune", "x" + strings.Repeat("é", 120),
		"bytes \xff\xfe\xfd", `{"url":`, `{"url":"http://a.test/9","id":"\ud800 half a pair"}`, `{"url":1}`,
		`{"id":"known","url":1}`, `{"id":"known","method":"PUT"}`, "http://a.test/10\r", "last",
	}, "\n")
	return Concat(Items(items[:min(n, len(items))]...), Lines("list", strings.NewReader(lines)))
}

const allNasty = 28 // items of nasty(99)

// idsIn counts the ids of the records in text, which must all be whole.
func idsIn(t *testing.T, text []byte) (ids map[string]int, urls map[string]int) {
	t.Helper()
	ids, urls = make(map[string]int), make(map[string]int)
	for line := range bytes.Lines(text) {
		id, _, kind, err := anyResult(line)
		if err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("line %.200q is not whole", line)
		}
		ids[string(id)]++
		if kind != KindInvalid {
			_, rest, _ := bytes.Cut(line, []byte(`,"url":"`))
			url, _, _ := bytes.Cut(rest, []byte(`"`))
			urls[string(url)]++
		}
	}
	return ids, urls
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// wholeLines is text up to its last newline.
func wholeLines(text []byte) []byte { return text[:bytes.LastIndexByte(text, '\n')+1] }

// A file of results that ends anywhere is gone on with: what it had stays as it was, what it lacks is fetched, and nothing else is.
func TestResumeAfterEveryByte(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	first, err := resumed(t, name, JournalConfig{}, false, nasty(99))
	if err != nil || first.counts.Read != allNasty || first.counts.Left() != 0 || first.counts.Before != 0 {
		t.Fatalf("the first run: %v, %+v", err, first.counts)
	}
	full := read(t, name)
	ids, urls := idsIn(t, full)
	if len(full) < 5000 {
		t.Fatalf("only %d bytes to cut", len(full))
	}
	for cut := 0; cut <= len(full); cut++ {
		if cut%31 != 0 && cut > 300 && full[cut-1] != '\n' && (cut == len(full) || full[cut] != '\n') {
			continue // each is the same for judgeTail, which has a test of its own for every byte
		}
		write(t, name, full[:cut])
		r, err := resumed(t, name, JournalConfig{}, false, nasty(99))
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", cut, err)
		}
		had := wholeLines(full[:cut])
		if cut > 0 && cut < len(full) && full[cut] == '\n' {
			had = full[:cut+1] // only the newline was missing
		}
		now := read(t, name)
		if !bytes.HasPrefix(now, had) {
			t.Fatalf("cut after %d bytes: what was there has changed", cut)
		}
		gotIDs, _ := idsIn(t, now)
		_, done := idsIn(t, had)
		if !maps.Equal(gotIDs, ids) {
			t.Fatalf("cut after %d bytes: ids are\n%v, want\n%v", cut, gotIDs, ids)
		}
		for u, n := range urls {
			if r.requests[u] != n-done[u] {
				t.Fatalf("cut after %d bytes: %d requests for %s, want %d", cut, r.requests[u], u, n-done[u])
			}
		}
		before := int64(bytes.Count(had, []byte("\n")))
		if c := r.counts; c.Before != before || c.Read != allNasty || c.OK != first.counts.OK || !maps.Equal(c.Kinds, first.counts.Kinds) {
			t.Fatalf("cut after %d bytes: counted %+v, want %d before and otherwise %+v", cut, c, before, first.counts)
		}
		if r.unmatched != 0 {
			t.Fatalf("cut after %d bytes: %d unmatched", cut, r.unmatched)
		}
	}
}

// Two items have the same id, and an early end left the result of the second only. And a list whose URLs are signed anew each time.
func TestOneIDAndSeveralURLs(t *testing.T) {
	two := []Item{{ID: "same", URL: "http://a.test/1"}, {ID: "same", URL: "http://a.test/2"}, {ID: "other", URL: "http://a.test/3"}}
	for which, c := range map[string]struct {
		had  []Item
		list []Item
		want string // the requests of the second run
	}{
		"the second is done":          {two[1:2], two, "map[http://a.test/1:1 http://a.test/3:1]"},
		"the first is done":           {two[:1], two, "map[http://a.test/2:1 http://a.test/3:1]"},
		"both are done, in any order": {[]Item{two[1], two[0]}, two, "map[http://a.test/3:1]"},
		"the URLs have changed":       {two, []Item{{ID: "other", URL: "http://a.test/3?new"}, {ID: "same", URL: "http://a.test/?x"}, two[0], two[0]}, "map[http://a.test/1:1]"},
		"and one is to be done": {two[1:], []Item{{ID: "same", URL: "http://a.test/1?new"}, {ID: "same", URL: "http://a.test/2?new"}, {ID: "other", URL: "http://a.test/3"}},
			"map[http://a.test/2?new:1]"},
	} {
		name := filepath.Join(t.TempDir(), "results.jsonl")
		if _, err := resumed(t, name, JournalConfig{}, false, Items(c.had...)); err != nil {
			t.Fatal(err)
		}
		r, err := resumed(t, name, JournalConfig{}, false, Items(c.list...))
		if got := fmt.Sprint(r.requests); err != nil || got != c.want || r.counts.Left() != 0 || r.counts.Before != int64(len(c.had)) {
			t.Errorf("%s: %v, %+v, requests %s, want %s", which, err, r.counts, got, c.want)
		}
	}
}

// FuzzJournal takes runs over random lists through random cuts and retries, and compares with a model that knows which line is whose.
func FuzzJournal(f *testing.F) {
	f.Add([]byte("a list of some items\x00of which some are the same"), []byte{10, 200, 3, 90})
	f.Add([]byte{1, 1, 1, 1, 1, 2, 200, 200, 201, 130, 131}, []byte{128, 255, 64, 129})
	f.Add(bytes.Repeat([]byte{7}, 40), []byte{50, 100, 150})
	f.Fuzz(func(t *testing.T, list, cuts []byte) {
		if len(list) == 0 || len(list) > 100 || len(cuts) > 8 {
			return
		}
		items := make([]Item, len(list))
		ids := make(map[string]int)
		for i, b := range list {
			items[i] = Item{ID: fmt.Sprintf("%c%d", rune(b), b%16), URL: fmt.Sprintf("http://a.test/%d", b)}
			if b%3 == 0 {
				items[i].URL = fmt.Sprintf("http://a.test/gone/%d", b)
			}
			if b%5 == 0 {
				items[i].ID += "\xff"
			}
			ids[written(items[i].ID)]++
		}
		name := filepath.Join(t.TempDir(), "results.jsonl")
		if _, err := resumed(t, name, JournalConfig{}, false, Items(items...)); err != nil {
			t.Fatal(err)
		}
		for _, cut := range cuts {
			text := read(t, name)
			text = text[:len(text)*int(cut)/255]
			write(t, name, text)
			retry := JournalConfig{RetryFailed: cut%2 == 1}
			r, err := resumed(t, name, retry, cut%4 == 1, Items(items...))
			if err != nil {
				t.Fatal(err)
			}
			now := read(t, name)
			if got, _ := idsIn(t, now); !maps.Equal(got, ids) {
				t.Fatalf("ids are %v, want %v", got, ids)
			}
			var had []byte // that must stay
			kept := int64(0)
			for line := range bytes.Lines(text) {
				_, _, kind, err := anyResult(line)
				if err == nil && (kind == "" || !retry.RetryFailed) {
					had = append(append(had, bytes.TrimSuffix(line, []byte("\n"))...), '\n')
					kept++
				}
			}
			if !bytes.HasPrefix(now, had) {
				t.Fatalf("what was there has changed: %s\nwant first %s", now, had)
			}
			requests := 0
			for _, n := range r.requests {
				requests += n
			}
			if r.counts.Before != kept || requests != len(items)-int(kept) || r.counts.Left() != 0 {
				t.Fatalf("%d results from before and %d requests, want %d and %d", r.counts.Before, requests, kept, len(items)-int(kept))
			}
			if fails := int64(bytes.Count(now, []byte(`"ok":false`))); r.counts.Failed != fails || r.counts.OK != int64(len(items))-fails {
				t.Fatalf("counted %+v, the file has %d failures of %d", r.counts, fails, len(items))
			}
		}
	})
}

// Of a list that has changed, what is new is fetched wherever it stands, and what is gone is counted.
func TestListThatChanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	urls := func(from, to int) (all []string) {
		for i := from; i < to; i++ {
			all = append(all, fmt.Sprintf("http://a.test/%d", i))
		}
		return all
	}
	if _, err := resumed(t, name, JournalConfig{}, false, URLs(urls(10_000, 10_100)...)); err != nil {
		t.Fatal(err)
	}
	// Ten thousand come before the first that is known, and an invalid one among them.
	list := append(urls(0, 10_000), "ftp://a.test/", "http://a.test/10099")
	r, err := resumed(t, name, JournalConfig{}, false, URLs(list...))
	if err != nil || r.unmatched != 99 || r.counts.Before != 1 || r.counts.OK != 10_001 || r.counts.Kinds[KindInvalid] != 1 {
		t.Errorf("%v, %d unmatched, counted %+v", err, r.unmatched, r.counts)
	}
	if got, _ := idsIn(t, read(t, name)); len(got) != 10_101 || len(r.requests) != 10_000 {
		t.Errorf("%d results, %d requests", len(got), len(r.requests))
	}
}

// What the source says of a line that is held back reaches the record unchanged.
func TestHeldBackLinesKeepTheirError(t *testing.T) {
	list := "not a URL\n" + strings.Repeat("é", 150) + "\n{\"header\":1}\n"
	records := func(known string) []byte {
		name := filepath.Join(t.TempDir(), "results.jsonl")
		write(t, name, []byte(known))
		src := Concat(Lines("first.txt", strings.NewReader(list)), URLs("http://a.test/known"))
		if _, err := resumed(t, name, JournalConfig{}, false, src); err != nil {
			t.Fatal(err)
		}
		var invalid []byte
		for line := range bytes.Lines(read(t, name)) {
			if bytes.Contains(line, []byte(`"invalid"`)) {
				line, _, _ = bytes.Cut(line, []byte(`"started"`))
				invalid = append(append(invalid, line...), '\n')
			}
		}
		return invalid
	}
	at := records("")
	held := records(`{"id":"http://a.test/known","url":"http://a.test/known","ok":true,"outcome":"ok"}` + "\n")
	if !bytes.Equal(at, held) || bytes.Count(at, []byte("\n")) != 3 {
		t.Errorf("held back, the records are\n%swant\n%s", held, at)
	}
}
