package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
		r.counts, err = Run(t.Context(), Config{Transport: o}, src, j)
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
		id, kind, err := anyResult(line)
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
				_, kind, err := anyResult(line)
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

// Whatever is wrong with a file, it is not touched, and nothing is fetched.
func TestRefusedFilesStayAsTheyAre(t *testing.T) {
	const good = `{"id":"a","url":"http://a.test/","ok":true,"outcome":"ok","bytes":0}` + "\n"
	for _, tt := range []struct {
		what, text string
		line       int64
		want       error
	}{
		{"another list", good, 0, ErrOtherList},
		{"another list, torn", good + `{"id":"b","ur`, 0, ErrOtherList},
		{"another list, without the last newline", good + good[:len(good)-1], 0, ErrOtherList},
		{"a text", "Dear diary\n", 1, ErrNotJournal},
		{"a text of one line", "Dear diary", 1, ErrNotJournal},
		{"a list of URLs", "http://a.test/1\nhttp://a.test/2\n", 1, ErrNotJournal},
		{"a list of items", `{"id":"7","url":"http://a.test/"}` + "\n", 1, ErrNotJournal},
		{"a single item", `{"id":"7","url":"http://a.test/"}`, 1, ErrNotJournal},
		{"a JSON object", "{}", 1, ErrNotJournal},
		{"zeros", "\x00\x00\x00", 1, ErrNotJournal},
		{"a stranger among results", good + "hello\n" + good, 2, ErrNotJournal},
		{"a stranger at the end", good + "hello", 2, ErrNotJournal},
		{"a torn line in the middle", good + good[:30] + good, 2, ErrNotJournal},
		{"failed without a reason", strings.Replace(good, `true,"outcome":"ok"`, `false,"outcome":"failed"`, 1), 1, ErrNotJournal},
		{"failed without a reason, at the end", good + strings.Replace(good[:len(good)-1], `true,"outcome":"ok"`, `false,"outcome":"failed"`, 1), 2, ErrNotJournal},
		{"a contradiction", strings.Replace(good, `true`, `false`, 1), 1, ErrNotJournal},
		{"a long line", strings.Repeat("x", 3<<20) + "\n", 1, ErrNotJournal},
		{"an array", "[" + good[:len(good)-1] + "]\n", 1, ErrNotJournal},
	} {
		name := filepath.Join(t.TempDir(), "results.jsonl")
		write(t, name, []byte(tt.text))
		r, err := resumed(t, name, JournalConfig{RetryFailed: true}, false, URLs("http://a.test/1", "http://a.test/2"))
		e, ok := errors.AsType[*JournalError](err)
		if !ok || !errors.Is(err, tt.want) || e.Name != name || e.Line != tt.line || errors.Is(err, ErrRead) {
			t.Errorf("%s: error is %v, want %v in line %d", tt.what, err, tt.want, tt.line)
		}
		if string(read(t, name)) != tt.text || len(r.requests) != 0 {
			t.Errorf("%s: the file was touched, or %d requests made", tt.what, len(r.requests))
		}
	}
}

// What other programs make of a file of results is still one: jq orders and escapes in its own way, and some systems end lines in
// their own way.
func TestFilesFromElsewhere(t *testing.T) {
	text := "\n" + `{ "url":"http://a.test/1", "ok":true, "outcome":"ok", "id":"http:\/\/a.test\/1", "more":[{"id":"x"}] }` + "\r\n \t\r\n" +
		`{"id":"http://a.test/gone","url":"http://a.test/gone","ok":false,"outcome":"failed","error":{"message":"m","kind":"odd"}}` + "\r\n"
	name := filepath.Join(t.TempDir(), "results.jsonl")
	for _, end := range []string{"", "\r", "\n", " ", "{", `{"id":"http://a.test/2`, `{"id":"` + "\x00\x00", "\x00"} {
		write(t, name, []byte(text+end))
		r, err := resumed(t, name, JournalConfig{}, false, URLs("http://a.test/1", "http://a.test/gone", "http://a.test/2"))
		if end == "\r" || end == " " {
			// Blanks without a newline are nothing that mettle would leave behind.
			if !errors.Is(err, ErrNotJournal) {
				t.Errorf("with %q at the end: %v", end, err)
			}
			continue
		}
		if err != nil || len(r.requests) != 1 || r.counts.Before != 2 || r.counts.Kinds["odd"] != 1 {
			t.Errorf("with %q at the end: %v, %d requests, %+v", end, err, len(r.requests), r.counts)
		}
		if now := read(t, name); !bytes.HasPrefix(now, []byte(text)) || !bytes.HasPrefix(bytes.TrimLeft(now[len(text):], "\n"), []byte(`{"id":"http://a.test/2","url"`)) {
			t.Errorf("with %q at the end: %q", end, now)
		}
	}
}

func TestAJournalServesOneRun(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	j, err := OpenJournal(name, JournalConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, want := range []bool{true, false} {
		if _, err := Run(t.Context(), Config{Transport: &origin{}}, URLs("http://a.test/1"), j); (err == nil) != want {
			t.Errorf("run %d: %v", i+1, err)
		}
	}
}

// Two processes must not write to one file: neither while the first has it open, nor when it has put a new one in its place.
func TestJournalIsLocked(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(`{"id":"http://a.test/1","url":"","ok":false,"outcome":"failed","error":{"kind":"dns"}}`+"\n"))
	j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(name, JournalConfig{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v, want ErrBusy", err)
	}
	if _, err := Run(t.Context(), Config{Transport: &origin{}}, URLs("http://a.test/1"), j); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenJournal(name, JournalConfig{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one after failed results were taken out: %v, want ErrBusy", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := OpenJournal(name, JournalConfig{})
	if err != nil || next.Len() != 1 || next.Failed() != 0 {
		t.Fatalf("after Close: %v", err)
	}
	next.Close()
}

// A process may open the file, and get its lock only when another has put a new file in its place: the old one is nobody's any more.
func TestLockOfAFileThatWasReplaced(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(`{"id":"0","url":"","ok":false,"outcome":"failed","error":{"kind":"dns"}}`+"\n"))
	var owners, turns atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for turns.Load() < 40 {
				j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
				if errors.Is(err, ErrBusy) {
					runtime.Gosched()
					continue
				}
				if err != nil || j.Len() != 1 {
					t.Errorf("%v, or not one result", err)
					return
				}
				if owners.Add(1) != 1 {
					t.Error("two have the file")
				}
				turns.Add(1)
				err = j.settle(t.Context())
				werr := j.Write(failedRecord("0", KindDNS))
				owners.Add(-1)
				if err := errors.Join(err, werr, j.Close()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestEachLine(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	for _, tt := range []struct {
		text  string
		lines []string
		rest  string
		err   error
	}{
		{text: ""},
		{text: "\n\na\n", lines: []string{"", "", "a"}},
		{text: "a\nb", lines: []string{"a"}, rest: "b"},
		{text: long + "1\n" + long + "2\nc", lines: []string{long + "1", long + "2"}, rest: "c"},
		{text: "a\n" + long + long, lines: []string{"a", ""}, err: errNotResult},
	} {
		var lines []string
		rest, err := eachLine(strings.NewReader(tt.text), 4<<20, func(line []byte) error {
			lines = append(lines, string(line))
			return nil
		})
		if !slices.Equal(lines, tt.lines) || string(rest) != tt.rest || err != tt.err {
			t.Errorf("of %d bytes: %d lines, %d bytes left, %v", len(tt.text), len(lines), len(rest), err)
		}
	}
}

// The file that takes the place of the old one is where the old one was, and open to the same people.
func TestRetryKeepsLinkAndMode(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.jsonl"), filepath.Join(dir, "link.jsonl")
	const ok = `{"id":"http://a.test/1","url":"","ok":true,"outcome":"ok","bytes":0}`
	write(t, real, []byte(`{"id":"http://a.test/2","url":"","ok":false,"outcome":"failed","error":{"kind":"dns"}}`+"\n"+ok))
	write(t, real+".retry", []byte("left behind by a run that was killed"))
	if err := errors.Join(os.Chmod(real, 0o666), os.Symlink("real.jsonl", link)); err != nil {
		t.Fatal(err)
	}
	r, err := resumed(t, link, JournalConfig{RetryFailed: true}, false, URLs("http://a.test/1", "http://a.test/2"))
	if err != nil || r.counts.Before != 1 || r.counts.OK != 2 {
		t.Fatalf("%v, %+v", err, r.counts)
	}
	info, err := os.Lstat(real)
	if err != nil || info.Mode() != 0o666 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.jsonl" {
		t.Errorf("the link leads to %s, %v", to, err)
	}
	if text := read(t, real); !bytes.HasPrefix(text, []byte(ok+"\n{")) || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("the file has %s", text)
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("left behind: %v", files)
	}
}

// A run that ends while it still looks for the first item of its list leaves the file alone, and says why it ended.
func TestStopWhileTheListIsCompared(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	const text = `{"id":"x","url":"","ok":true,"outcome":"ok","bytes":0}` + "\n" + `{"id":"y`
	write(t, name, []byte(text))
	endless := func(context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for yield(Item{URL: "http://a.test/"}, nil) {
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		list := func(ctx context.Context) iter.Seq2[Item, error] {
			return func(yield func(Item, error) bool) {
				yield(Item{URL: "http://a.test/"}, nil)
				cancel(cause)
				endless(ctx)(yield)
			}
		}
		counts, err := Run(ctx, Config{Transport: &origin{}}, list, j)
		if !errors.Is(err, cause) || counts.Done() != 0 || j.Unmatched() != 0 {
			t.Errorf("%v, %+v", err, counts)
		}
	})
	if string(read(t, name)) != text {
		t.Error("the file was touched")
	}
}

// An input that cannot be read is told as such, also before the first item that has a result.
func TestJournalOfAListThatCannotBeRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(`{"id":"x","url":"","ok":true,"outcome":"ok","bytes":0}`+"\n"))
	broken := Lines("list", io.MultiReader(strings.NewReader("http://a.test/1\n"), errReader{}))
	r, err := resumed(t, name, JournalConfig{}, false, broken)
	if !errors.Is(err, ErrRead) || len(r.requests) != 0 {
		t.Errorf("%v, %d requests", err, len(r.requests))
	}
	// A list with nothing in it is no other list.
	if r, err := resumed(t, name, JournalConfig{}, false, URLs()); err != nil || r.unmatched != 1 {
		t.Errorf("an empty list: %v, %d unmatched", err, r.unmatched)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("bad sector") }

// FuzzResultLine compares the fast reader of lines with package json.
func FuzzResultLine(f *testing.F) {
	for _, r := range []*Record{okRecord("a"), okRecord(`a"b\`), failedRecord("é", KindDNS), failedRecord("\xff", "a\"b")} {
		r.Attempts = []Attempt{{N: 1, Error: `dns: "error":{"kind":"x"`}}
		line, err := r.Line()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimSuffix(line, []byte("\n")))
	}
	f.Add([]byte(`{"id":"","url":"","ok":false,"outcome":"failed","error":{"kind":""}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		id, kind, ok := ownResult(line)
		if !ok {
			return
		}
		want, wantKind, err := anyResult(line)
		if err != nil || !isPlain(line) {
			return // the fast reader looks only at what it needs
		}
		if string(id) != string(want) || kind != wantKind && bytes.Count(line, startError) == 1 && bytes.Count(line, []byte(`"kind"`)) == 1 {
			t.Errorf("%q is %q, %q; json says %q, %q", line, id, kind, want, wantKind)
		}
	})
}

// isPlain reports whether each field of a record stands only once in line, as far as that can be seen.
func isPlain(line []byte) bool {
	for _, field := range []string{`"id"`, `"url"`, `"ok"`, `"outcome"`, `"error"`} {
		if bytes.Count(bytes.ToLower(line), []byte(field)) != 1 {
			return false
		}
	}
	return !bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0xfffd || r > 0x7f })
}

// Each beginning of a result is taken for one, and nothing that differs from it in a byte which matters.
func TestTailOfEveryLength(t *testing.T) {
	bad := failedRecord("a \" \\ é \u2028", KindDNS)
	for _, r := range []*Record{okRecord("plain"), okRecord(`"`), okRecord(""), bad} {
		line, err := r.Line()
		if err != nil {
			t.Fatal(err)
		}
		line = line[:len(line)-1]
		head := bytes.Index(line, []byte(`,"attempts":`))
		for n := range len(line) + 1 {
			for zeros := range 3 {
				b := append(slices.Clone(line[:n]), make([]byte, zeros)...)
				want := 0
				if n == len(line) {
					want = n
				}
				if keep, err := judgeTail(b, false); err != nil || keep != want {
					t.Fatalf("%q: keep %d, %v, want %d", b, keep, err, want)
				}
				_, err := judgeTail(b, true)
				if (err == nil) != (n > 0) {
					t.Fatalf("%q in a file of its own: %v", b, err)
				}
			}
		}
		inside := false
		for i := range head {
			if line[i] == '"' && line[i-1] != '\\' {
				inside = !inside
			}
			b := slices.Clone(line[:head])
			b[i] ^= 1
			if _, err := judgeTail(b, false); err == nil && !inside {
				t.Fatalf("%q is taken for the beginning of a result", b)
			}
		}
	}
}

// The index is compared with a map of what it was given.
func TestIndexAgainstAModel(t *testing.T) {
	for seed := range uint64(20) {
		draw := rand.New(rand.NewPCG(seed, 1))
		x := newIndex()
		model := make(map[string]map[Kind]int)
		ids := 1 + draw.IntN(3000)
		for range draw.IntN(20_000) {
			id, kind := fmt.Sprint(draw.IntN(ids)), Kind("")
			if draw.IntN(2) == 0 {
				kind = Kind(fmt.Sprint("kind", draw.IntN(25)))
			}
			x.add([]byte(id), kind)
			if model[id] == nil {
				model[id] = make(map[Kind]int)
			}
			model[id][kind]++
		}
		x.seal()
		for range 40_000 {
			id := fmt.Sprint(draw.IntN(ids + 10))
			kind, ok := x.take(id)
			if !ok {
				if len(model[id]) > 0 {
					t.Fatalf("%s is not found, want one of %v", id, model[id])
				}
				continue
			}
			if model[id][kind] == 0 || kind != "" && model[id][""] > 0 {
				t.Fatalf("%s is of kind %q, want one of %v, ok first", id, kind, model[id])
			}
			if model[id][kind]--; model[id][kind] == 0 {
				delete(model[id], kind)
			}
		}
	}
}

// More kinds than have a number cannot come from mettle. They are other.
func TestIndexOfTooManyKinds(t *testing.T) {
	x := newIndex()
	for i := range 100 {
		x.add([]byte(fmt.Sprint(i)), Kind(fmt.Sprint("kind", i)))
	}
	x.add([]byte("o"), KindOther)
	x.add([]byte("k"), "")
	x.seal()
	for i := range 100 {
		want := Kind(fmt.Sprint("kind", i))
		if i >= kindMask-1 {
			want = KindOther
		}
		if kind, ok := x.take(fmt.Sprint(i)); !ok || kind != want {
			t.Errorf("the %dth is of kind %q, want %q", i, kind, want)
		}
	}
	if kind, ok := x.take("o"); !ok || kind != KindOther {
		t.Errorf("other is %q", kind)
	}
	if x.failed() != 101 {
		t.Errorf("%d failed, want 101", x.failed())
	}
}
