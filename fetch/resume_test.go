package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// text returns n bytes of which no two stretches are the same, other ones for each seed.
func text(seed, n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d:%d ", seed, i)
	}
	return b.Bytes()[:n]
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A step answers one request of a script.
type step func(w http.ResponseWriter, r *http.Request)

// send answers with that status, header fields and body, and breaks off after cut bytes, unless that is -1.
func send(code int, body []byte, cut int, header ...string) step {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if w.Header().Get("Transfer-Encoding") != "" {
			w.Header().Del("Transfer-Encoding") // chunked, as there is no length
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(code)
		if cut < 0 {
			w.Write(body)
			return
		}
		w.Write(body[:cut])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// rest answers 206 with what follows the first n bytes of body.
func rest(body []byte, n int, header ...string) step {
	at := fmt.Sprintf("bytes %d-%d/%d", n, len(body)-1, len(body))
	return send(206, body[n:], -1, append([]string{"Content-Range", at}, header...)...)
}

// A script is a server that answers its nth request by its nth step, and the last one by all others. It notes what it is asked for.
type script struct {
	*httptest.Server
	mu    sync.Mutex
	steps []step
	asked []string // Range and If-Range of each request
}

func scripted(t *testing.T, steps ...step) *script {
	s := &script{steps: steps}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, strings.TrimSpace(r.Header.Get("Range")+" "+r.Header.Get("If-Range")))
		next := s.steps[min(len(s.asked), len(s.steps))-1]
		s.mu.Unlock()
		next(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *script) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// files returns the names of all files below dir, without their directories, and their contents.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(path)
			all[d.Name()] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// saved fails the test unless r is ok, its file holds body, and dir nothing else.
func saved(t *testing.T, r *Record, dir string, body []byte) {
	t.Helper()
	if !r.OK || r.Error != nil || r.Bytes != int64(len(body)) || r.SHA256 != sumOf(body) || !r.Complete {
		t.Errorf("record is %+v, %v; want ok, %d bytes", r, r.Error, len(body))
		return
	}
	if got, err := os.ReadFile(r.Path); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%s is not the body: %d bytes, %v", r.Path, len(got), err)
	}
	if left := files(t, dir); len(left) != 1 {
		t.Errorf("%d files, want the body's: %v", len(left), left)
	}
}

const tag = `"v1"`

var (
	longAgo = time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	body    = text(1, 200_000)
	other   = text(2, 200_000)
)

// Every way that the second answer can be, after a first one that was cut at 100,000 bytes.
func TestResume(t *testing.T) {
	const n = 100_000
	ask := fmt.Sprintf("bytes=%d- %s", n, tag)
	first := send(200, body, n, "ETag", tag)
	whole := send(200, body, -1, "ETag", tag)
	with := func(code int, b []byte, header ...string) step { return send(code, b, -1, header...) }
	contentRange := func(first, last, total int) string { return fmt.Sprintf("bytes %d-%d/%d", first, last, total) }
	right := contentRange(n, len(body)-1, len(body))
	for _, tc := range []struct {
		name  string
		steps []step
		asked []string
	}{
		{"the rest", []step{first, rest(body, n, "ETag", tag)}, []string{"", ask}},
		{"the rest, without a tag", []step{first, rest(body, n)}, []string{"", ask}},
		{"the rest, of a total that is not said", []step{first, with(206, body[n:], "Content-Range", fmt.Sprintf("bytes %d-%d/*", n, len(body)-1))},
			[]string{"", ask}},
		{"the rest, chunked", []step{first, with(206, body[n:], "Content-Range", right, "Transfer-Encoding", "chunked")}, []string{"", ask}},
		{"the rest, in lower case", []step{first, with(206, body[n:], "content-range", "BYTES "+right[6:])}, []string{"", ask}},
		{"all of it", []step{first, whole}, []string{"", ask}},
		{"another body by now", []step{first, send(200, body, -1, "ETag", `"v2"`)}, []string{"", ask}},
		{"another body, cut too, then its rest", []step{send(200, other, n, "ETag", tag), send(200, body, 50_000, "ETag", `"v2"`), rest(body, 50_000)},
			[]string{"", ask, `bytes=50000- "v2"`}},
		{"a part of the rest, then the rest of that", []step{first, with(206, body[n:n+10], "Content-Range", contentRange(n, n+9, len(body))),
			rest(body, n+10)}, []string{"", ask, fmt.Sprintf("bytes=%d- %s", n+10, tag)}},
		{"the rest cut, then the rest of that", []step{first, send(206, body[n:], 1000, "Content-Range", right), rest(body, n+1000)},
			[]string{"", ask, fmt.Sprintf("bytes=%d- %s", n+1000, tag)}},
		{"an error page, then the rest", []step{first, with(503, []byte("no")), with(408, nil), rest(body, n)}, []string{"", ask, ask, ask}},
		{"an answer that goes nowhere, then the rest", []step{first, send(503, body, 0), rest(body, n)}, []string{"", ask, ask}},

		{"from a wrong byte", []step{first, with(206, other[n-1:len(body)-1], "Content-Range", contentRange(n-1, len(body)-2, len(body))), whole},
			[]string{"", ask, ""}},
		{"of another total", []step{first, with(206, other[n:], "Content-Range", contentRange(n, len(body)-1, len(body)+1)), whole}, []string{"", ask, ""}},
		{"of another tag", []step{first, with(206, other[n:], "Content-Range", right, "ETag", `"v2"`), whole}, []string{"", ask, ""}},
		{"of a weak tag", []step{first, with(206, other[n:], "Content-Range", right, "ETag", "W/"+tag), whole}, []string{"", ask, ""}},
		{"without its range", []step{first, with(206, other[n:]), whole}, []string{"", ask, ""}},
		{"of a range that is none", []step{first, with(206, other[n:], "Content-Range", "bytes 5"), whole}, []string{"", ask, ""}},
		{"of several ranges", []step{first, with(206, other[n:], "Content-Type", "multipart/byteranges; boundary=x"), whole}, []string{"", ask, ""}},
		{"of a range that is not its length", []step{first, with(206, other[n:len(body)-1], "Content-Range", right), whole}, []string{"", ask, ""}},
		{"longer than its range", []step{first, with(206, append(slices.Clone(other[n:]), 'x'), "Content-Range", right, "Transfer-Encoding", "chunked"), whole},
			[]string{"", ask, ""}},
		{"nothing there, and nothing said", []step{first, with(416, []byte("x")), whole}, []string{"", ask, ""}},
		{"nothing there, of another total", []step{first, with(416, nil, "Content-Range", "bytes */100"), whole}, []string{"", ask, ""}},
		{"nothing there, though there was more", []step{first, with(416, nil, "Content-Range", fmt.Sprintf("bytes */%d", n)), whole}, []string{"", ask, ""}},

		{"a weak tag", []step{send(200, body, n, "ETag", "W/"+tag), whole}, []string{"", ""}},
		{"a weak tag and an old date", []step{send(200, body, n, "ETag", "W/"+tag, "Last-Modified", longAgo), whole}, []string{"", ""}},
		{"an empty tag", []step{send(200, body, n, "ETag", `""`), whole}, []string{"", ""}},
		{"no tag", []step{send(200, body, n), whole}, []string{"", ""}},
		{"an old date", []step{send(200, body, n, "Last-Modified", longAgo), rest(body, n, "Last-Modified", longAgo)},
			[]string{"", fmt.Sprintf("bytes=%d- %s", n, longAgo)}},
		{"an old date, then another", []step{send(200, body, n, "Last-Modified", longAgo),
			rest(other, n, "Last-Modified", time.Now().UTC().Format(http.TimeFormat)), whole}, []string{"", fmt.Sprintf("bytes=%d- %s", n, longAgo), ""}},
		{"a date too fresh", []step{send(200, body, n, "Last-Modified", time.Now().Add(-30*time.Second).UTC().Format(http.TimeFormat)), whole}, []string{"", ""}},
		{"a date that is none", []step{send(200, body, n, "Last-Modified", "yesterday"), whole}, []string{"", ""}},
		{"an odd answer", []step{send(203, body, n, "ETag", tag), whole}, []string{"", ""}},
		{"a date that differs behind the same tag", []step{send(200, body, n, "ETag", tag, "Last-Modified", longAgo),
			rest(other, n, "ETag", tag, "Last-Modified", time.Now().UTC().Format(http.TimeFormat)), whole}, []string{"", ask, ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			srv := scripted(t, tc.steps...)
			r := one(t, Config{Dir: dir}, Item{URL: srv.URL + "/x.bin"})
			saved(t, r, dir, body)
			if got := srv.requests(); !slices.Equal(got, tc.asked) {
				t.Errorf("requests asked for %q, want %q", got, tc.asked)
			}
			if len(r.Attempts) != len(tc.asked) {
				t.Errorf("%d attempts, want %d", len(r.Attempts), len(tc.asked))
			}
		})
	}
}

// Wherever a body is cut, it is got with the next attempt.
func TestResumeFromEveryKindOfOffset(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000, 32<<10 - 1, 32 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128 << 10, len(body) - 1} {
		for _, chunked := range []string{"", "chunked"} {
			dir := t.TempDir()
			header := []string{"ETag", tag}
			if chunked != "" {
				header = append(header, "Transfer-Encoding", chunked)
			}
			srv := scripted(t, send(200, body, n, header...), rest(body, n, "ETag", tag))
			if n == 0 {
				srv.steps[1] = send(200, body, -1, "ETag", tag)
			}
			saved(t, one(t, Config{Dir: dir, Attempts: 2}, Item{URL: srv.URL}), dir, body)
		}
	}
}

// What is left of a body is also found in a directory where this run has saved others, be it that an earlier run had made the directory, or that what is
// left is of this run.
func TestResumeBesideOthers(t *testing.T) {
	const n = 100_000
	ask := fmt.Sprintf("bytes=%d- %s", n, tag)
	first, whole := send(200, body, n, "ETag", tag), send(200, body, -1, "ETag", tag)
	dir := t.TempDir()
	srv := scripted(t, first, whole, rest(body, n, "ETag", tag))
	cutRun(t, srv, dir, n)
	place := func(path string) string {
		u, _ := url.Parse(srv.URL + path)
		return filepath.Dir(bodyPath(Item{URL: u.String()}, u))
	}
	sibling := "/0"
	for i := 1; place(sibling) != place("/x.bin"); i++ {
		sibling = "/" + strconv.Itoa(i)
	}
	sink := &collector{t: t}
	if _, err := Run(t.Context(), Config{Dir: dir, Concurrency: 1}, URLs(srv.URL+sibling, srv.URL+"/x.bin"), sink); err != nil {
		t.Fatal(err)
	}
	if got := srv.requests(); len(got) != 3 || got[2] != ask {
		t.Errorf("of an earlier run: requests asked for %q", got)
	}
	srv = scripted(t, first, rest(body, n, "ETag", tag))
	sink = &collector{t: t}
	if _, err := Run(t.Context(), Config{Dir: t.TempDir(), Attempts: 1}, URLs(srv.URL, srv.URL), sink); err != nil {
		t.Fatal(err)
	}
	if got := srv.requests(); len(got) != 2 || got[1] != ask {
		t.Errorf("of this run: requests asked for %q", got)
	}
}

// A server that does not want to be asked for the rest, and says so by an answer that speaks against the request as such, is asked for the whole, once, at
// no cost of an attempt, in the same run and in a later one.
func TestServersThatRefuseRanges(t *testing.T) {
	const n = 100_000
	ask := fmt.Sprintf("bytes=%d- %s", n, tag)
	first, whole := send(200, body, n, "ETag", tag), send(200, body, -1, "ETag", tag)
	for _, code := range []int{400, 403, 405, 406, 412, 413, 417, 431} {
		refuse := send(code, nil, -1)
		for name, tc := range map[string]struct {
			steps []step
			asked []string
		}{
			"at once":                    {[]step{first, refuse, whole}, []string{"", ask, ""}},
			"and the whole is cut again": {[]step{first, refuse, first, whole}, []string{"", ask, "", ""}},
			"after an error page":        {[]step{first, send(503, nil, -1), refuse, whole}, []string{"", ask, ask, ""}},
		} {
			dir := t.TempDir()
			srv := scripted(t, tc.steps...)
			r := one(t, Config{Dir: dir, Attempts: len(tc.asked) - 1}, Item{URL: srv.URL + "/x.bin"})
			saved(t, r, dir, body)
			if got := srv.requests(); !slices.Equal(got, tc.asked) {
				t.Errorf("%d, %s: requests asked for %q, want %q", code, name, got, tc.asked)
			}
			at := slices.Index(tc.asked, ask) + strings.Count(name, "after")
			if a := r.Attempts[at]; len(r.Attempts) != len(tc.asked) || a.Status != code || !strings.HasPrefix(a.Error, fmt.Sprintf("status: %d ", code)) {
				t.Errorf("%d, %s: attempts %+v", code, name, r.Attempts)
			}
		}
		dir := t.TempDir()
		srv := scripted(t, first, refuse, whole)
		cutRun(t, srv, dir, n)
		r := one(t, Config{Dir: dir, Attempts: 1}, Item{URL: srv.URL + "/x.bin"})
		if saved(t, r, dir, body); len(r.Attempts) != 2 {
			t.Errorf("%d, in a later run: %+v", code, r)
		}
		// It was not the question: what is there is kept, and the item has failed.
		dir = t.TempDir()
		srv = scripted(t, first, refuse, refuse, rest(body, n, "ETag", tag))
		if r := one(t, Config{Dir: dir}, Item{URL: srv.URL + "/x.bin"}); r.OK || r.Status != code || r.Error.Retryable || len(r.Attempts) != 3 {
			t.Errorf("%d twice: %+v, %v", code, r, r.Error)
		}
		saved(t, one(t, Config{Dir: dir}, Item{URL: srv.URL + "/x.bin"}), dir, body)
	}
	for _, code := range []int{401, 402, 404, 407, 410, 451} {
		srv := scripted(t, first, send(code, nil, -1), whole)
		r := one(t, Config{Dir: t.TempDir()}, Item{URL: srv.URL})
		if r.OK || r.Status != code || len(srv.requests()) != 2 {
			t.Errorf("%d: %+v after %q", code, r, srv.requests())
		}
	}
}

// The end is all that was missing: the server has no more, and says how much that is.
func TestNothingBehindTheEnd(t *testing.T) {
	dir := t.TempDir()
	srv := scripted(t, send(200, body, len(body), "ETag", tag, "Transfer-Encoding", "chunked"),
		send(416, nil, -1, "Content-Range", fmt.Sprintf("bytes */%d", len(body))))
	r := one(t, Config{Dir: dir, Attempts: 2}, Item{URL: srv.URL})
	saved(t, r, dir, body)
	if last := r.Attempts[len(r.Attempts)-1].Status; r.Status != 200 || last != 416 {
		t.Errorf("status %d, and %d of the last attempt, want 200 and 416", r.Status, last)
	}
	srv = scripted(t, send(200, other, len(body), "ETag", tag, "Transfer-Encoding", "chunked"),
		send(416, nil, -1, "Content-Range", fmt.Sprintf("bytes */%d", len(body)), "ETag", `"v2"`), send(200, body, -1))
	dir = t.TempDir()
	saved(t, one(t, Config{Dir: dir}, Item{URL: srv.URL}), dir, body)
	// The answer of a server that was not asked for the rest is a failure like any other.
	srv = scripted(t, send(416, nil, -1, "Content-Range", "bytes */0"))
	if r := one(t, Config{Dir: t.TempDir()}, Item{URL: srv.URL}); r.OK || r.Error.Kind != KindStatus || len(r.Attempts) != 1 {
		t.Errorf("416 without a question: %+v, %v", r, r.Error)
	}
}

func TestOnlyAPlainGetIsResumed(t *testing.T) {
	key := map[string]string{"Idempotency-Key": "1"}
	for _, tc := range []struct {
		name   string
		item   Item
		config Config
		want   string // of the second request
	}{
		{"POST", Item{Method: "POST", Header: key, Body: "x"}, Config{}, ""},
		{"PUT", Item{Method: "PUT"}, Config{}, ""},
		{"a Range of its own", Item{Header: map[string]string{"range": "bytes=0-5"}}, Config{}, "bytes=0-5"},
		{"an If-Range of its own", Item{Header: map[string]string{"If-Range": `"x"`}}, Config{}, `"x"`},
		{"a Range for all", Item{}, Config{Header: http.Header{"Range": {"bytes=0-5"}}}, "bytes=0-5"},
		{"GET", Item{Method: "GET"}, Config{}, `bytes=1000- "v1"`},
	} {
		srv := scripted(t, send(200, body, 1000, "ETag", tag), send(200, body, -1, "ETag", tag))
		dir := t.TempDir()
		tc.item.URL, tc.config.Dir = srv.URL, dir
		saved(t, one(t, tc.config, tc.item), dir, body)
		if got := srv.requests(); len(got) != 2 || got[1] != tc.want {
			t.Errorf("%s: requests asked for %q, want %q", tc.name, got, tc.want)
		}
	}
}

// A redirect leads somewhere else the second time, where the same tag means another body. Only the place that the tag is from may be asked for
// the rest.
func TestTheSameTagElsewhereIsNotTheSameBody(t *testing.T) {
	var mu sync.Mutex
	asked := make(map[string]string)
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked[r.URL.Path] += "[" + r.Header.Get("Range") + "]"
		switch r.URL.Path {
		case "/":
			n++
			http.Redirect(w, r, []string{"/a?sig=1", "/b?sig=2", "/b?sig=3"}[n-1], http.StatusFound)
		case "/a":
			send(200, other, 1000, "ETag", tag)(w, r)
		case "/b":
			if r.Header.Get("Range") != "" {
				rest(body, 2000, "ETag", tag)(w, r)
				return
			}
			send(200, body, 2000, "ETag", tag)(w, r)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	saved(t, one(t, Config{Dir: dir}, Item{URL: srv.URL + "/"}), dir, body)
	if got, want := fmt.Sprint(asked), "map[/:[][][] /a:[] /b:[][bytes=2000-]]"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
}
