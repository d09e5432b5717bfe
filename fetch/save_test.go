package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestChecksum(t *testing.T) {
	whole, bad := send(200, body, -1, "ETag", tag), send(200, other, -1, "ETag", tag)
	for _, tc := range []struct {
		name     string
		want     string
		steps    []step
		requests int
		ok       bool
	}{
		{"right", sumOf(body), []step{whole}, 1, true},
		{"right, in capitals", strings.ToUpper(sumOf(body)), []step{whole}, 1, true},
		{"wrong, then right", sumOf(body), []step{bad, whole}, 2, true},
		{"wrong twice", sumOf(body), []step{bad}, 2, false},
		{"wrong, error pages, wrong", sumOf(body), []step{bad, send(503, nil, -1), send(503, nil, -1), bad}, 4, false},
		{"cut, and the rest of another", sumOf(body), []step{send(200, other, 100_000, "ETag", tag), rest(body, 100_000, "ETag", tag), whole}, 3, true},
		{"empty", sumOf(nil), []step{send(204, nil, -1)}, 1, true},
	} {
		for _, dir := range []string{"", t.TempDir()} {
			if dir == "" && tc.requests == 3 {
				continue // without a directory nothing is resumed
			}
			srv := scripted(t, tc.steps...)
			r := one(t, Config{Dir: dir}, Item{URL: srv.URL, SHA256: tc.want})
			if n := len(srv.requests()); n != tc.requests || len(r.Attempts) != n || r.OK != tc.ok {
				t.Errorf("%s: %d requests, %d attempts, ok %v, %v; want %d, %v", tc.name, n, len(r.Attempts), r.OK, r.Error, tc.requests, tc.ok)
			}
			if slices.ContainsFunc(srv.requests()[1:], func(asked string) bool { return asked != "" && tc.name[:5] == "wrong" }) {
				t.Errorf("%s: a body that is wrong was gone on with: %q", tc.name, srv.requests())
			}
			left := 0
			if dir != "" {
				left = len(files(t, dir))
			}
			if tc.ok {
				if !strings.EqualFold(r.SHA256, tc.want) || dir != "" && left != 1 || (r.Path != "") != (dir != "") {
					t.Errorf("%s: sha256 %s, path %q, %d files", tc.name, r.SHA256, r.Path, left)
				}
			} else if r.Error.Kind != KindChecksum || r.Error.Retryable || r.SHA256 != "" || r.Path != "" || left != 0 {
				t.Errorf("%s: %+v, %v, %d files", tc.name, r, r.Error, left)
			}
		}
	}
}

func TestChecksumsAreChecked(t *testing.T) {
	for _, it := range []Item{
		{URL: "http://a/", SHA256: "abc"}, {URL: "http://a/", SHA256: strings.Repeat("g", 64)}, {URL: "http://a/", SHA256: strings.Repeat("0", 66)},
		{URL: "http://a/", Method: "HEAD", SHA256: sumOf(nil)},
	} {
		if err := it.check(); err == nil || !strings.HasPrefix(err.Error(), "sha256 ") {
			t.Errorf("%+v: %v", it, err)
		}
	}
	it, err := Parse([]byte(`{"url":"http://a/","sha256":"` + sumOf(body) + `"}`))
	if err != nil || it.SHA256 != sumOf(body) {
		t.Errorf("%+v, %v", it, err)
	}
}

func TestMaxSize(t *testing.T) {
	n := int64(len(body))
	for _, tc := range []struct {
		name  string
		most  int64
		steps []step
		ok    bool
		bytes int64 // at most, if not ok
	}{
		{"exactly", n, []step{send(200, body, -1)}, true, 0},
		{"exactly, chunked", n, []step{send(200, body, -1, "Transfer-Encoding", "chunked")}, true, 0},
		{"announced", n - 1, []step{send(200, body, -1)}, false, 0},
		{"chunked", n - 1, []step{send(200, body, -1, "Transfer-Encoding", "chunked")}, false, n},
		{"chunked, far over", 1000, []step{send(200, body, -1, "Transfer-Encoding", "chunked")}, false, 65 << 10},
		{"found out by the rest", n - 1, []step{send(200, body, 100, "Transfer-Encoding", "chunked", "ETag", tag), rest(body, 100)}, false, 100},
		{"cut, then the rest", n, []step{send(200, body, 100, "ETag", tag), rest(body, 100)}, true, 0},
		{"a page of an error", 3, []step{send(404, body, -1)}, false, n},
	} {
		for _, dir := range []string{"", t.TempDir()} {
			if dir == "" && len(tc.steps) > 1 {
				continue
			}
			srv := scripted(t, tc.steps...)
			r := one(t, Config{Dir: dir, MaxSize: tc.most}, Item{URL: srv.URL})
			if tc.ok {
				if !r.OK || r.SHA256 != sumOf(body) {
					t.Errorf("%s: %+v, %v", tc.name, r, r.Error)
				}
				continue
			}
			kind := KindTooLarge
			if r.Status == 404 {
				kind = KindStatus
			}
			if r.OK || r.Error.Kind != kind || r.Error.Retryable || len(srv.requests()) != len(tc.steps) || r.Bytes > tc.bytes {
				t.Errorf("%s: %d requests, %+v, %v", tc.name, len(srv.requests()), r, r.Error)
			}
			if dir != "" && len(files(t, dir)) != 0 {
				t.Errorf("%s: %d files are left", tc.name, len(files(t, dir)))
			}
		}
	}
	srv := scripted(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "5000") })
	if r := one(t, Config{Dir: t.TempDir(), MaxSize: 10}, Item{Method: "HEAD", URL: srv.URL}); !r.OK || r.Path != "" || !r.Complete {
		t.Errorf("HEAD: %+v, %v; want ok, and no file", r, r.Error)
	}
}

// Nor is what an earlier run, without such a limit, has brought, of which only the end was missing.
func TestMaxSizeOfWhatIsThere(t *testing.T) {
	dir, n := t.TempDir(), int64(len(body))
	srv := scripted(t, send(200, body, len(body), "Transfer-Encoding", "chunked", "ETag", tag),
		send(416, nil, -1, "Content-Range", fmt.Sprintf("bytes */%d", n)))
	it := Item{URL: srv.URL}
	one(t, Config{Dir: dir, Attempts: 1}, it)
	r := one(t, Config{Dir: dir, MaxSize: n - 1}, it)
	if r.OK || r.Error.Kind != KindTooLarge || len(srv.requests()) != 2 || len(files(t, dir)) != 0 {
		t.Errorf("%+v, %v, requests %q, %d files", r, r.Error, srv.requests(), len(files(t, dir)))
	}
}

// A Transport that does not compare lengths itself is no way around it.
func TestLengthsAreChecked(t *testing.T) {
	for name, announced := range map[string]int64{"shorter": 5, "longer": 3} {
		for _, dir := range []string{"", t.TempDir()} {
			asked := 0
			w := wire(func(r *http.Request) (*http.Response, error) {
				asked++
				res := answer(r, 200, "body", "ETag", tag)
				res.ContentLength = announced
				if r.Header.Get("Range") != "" {
					res.StatusCode, res.ContentLength = 206, announced-4
					res.Header.Set("Content-Range", "bytes 4-4/5")
				}
				return res, nil
			})
			r := one(t, Config{Dir: dir, Transport: w, Attempts: 2}, Item{URL: "http://a.test/"})
			if r.OK || r.Error.Kind != KindTruncated || asked != 2 {
				t.Errorf("%s: %+v, %v after %d requests", name, r, r.Error, asked)
			}
		}
	}
}

// A huge file over a line that breaks again and again uses up no attempt as long as it gets on.
func TestProgressIsWorthAnAttempt(t *testing.T) {
	big := text(3, 20<<20)
	for _, tc := range []struct {
		name     string
		steady   int // bytes before each break
		ranges   bool
		attempts int
		ok       bool
		requests int
	}{
		{"3 MiB", 3 << 20, true, 2, true, 7},
		{"3 MiB, one attempt", 3 << 20, true, 1, true, 7},
		{"half a MiB", 1 << 19, true, 3, false, 3},
		{"3 MiB from the start each time", 3 << 20, false, 2, false, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			srv := scripted(t, func(w http.ResponseWriter, r *http.Request) {
				if !tc.ranges {
					r.Header.Del("Range")
				}
				w.Header().Set("ETag", tag)
				http.ServeContent(&breaking{w, tc.steady}, r, "", time.Time{}, bytes.NewReader(big))
			})
			r := one(t, Config{Dir: dir, Attempts: tc.attempts}, Item{URL: srv.URL})
			if r.OK != tc.ok || len(srv.requests()) != tc.requests || len(r.Attempts) != tc.requests {
				t.Errorf("ok %v, %d requests, %d attempts, %v; want %v, %d", r.OK, len(srv.requests()), len(r.Attempts), r.Error, tc.ok, tc.requests)
			}
			if tc.ok {
				saved(t, r, dir, big)
			}
		})
	}
}

// breaking breaks off after so many bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		b.ResponseWriter.Write(p[:b.left+len(p)])
		http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// So does one that takes longer than an attempt may.
func TestProgressUntilTheTimeout(t *testing.T) {
	big := text(4, 5<<20)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := wire(func(r *http.Request) (*http.Response, error) {
			from, _ := strconv.Atoi(strings.Trim(r.Header.Get("Range"), "bytes=-"))
			res := answer(r, 200, "", "ETag", tag)
			if from > 0 {
				res.StatusCode = 206
				res.Header.Set("Content-Range", "bytes "+strconv.Itoa(from)+"-"+strconv.Itoa(len(big)-1)+"/"+strconv.Itoa(len(big)))
			}
			res.ContentLength = int64(len(big) - from)
			res.Body = &limited{ctx: r.Context(), data: big[from:], most: 2 << 20}
			return res, nil
		})
		r := one(t, Config{Dir: dir, Attempts: 1, Timeout: time.Second, Transport: w}, Item{URL: "http://a.test/"})
		saved(t, r, dir, big)
		if len(r.Attempts) != 3 || !strings.HasPrefix(r.Attempts[0].Error, "timeout: ") {
			t.Errorf("attempts are %+v", r.Attempts)
		}
	})
}

// A host whose answers all break, but bring bytes, is not taken for one that is down.
func TestProgressParksNoHost(t *testing.T) {
	big := text(5, 40<<20)
	dir := inMemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		w := wire(func(r *http.Request) (*http.Response, error) {
			from, _ := strconv.Atoi(strings.Trim(r.Header.Get("Range"), "bytes=-"))
			res := answer(r, 206, string(big[from:min(from+1<<20, len(big))]), "ETag", tag,
				"Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(big)-1, len(big)))
			if from == 0 {
				res.StatusCode = 200
			}
			res.ContentLength = int64(len(big) - from)
			return res, nil
		})
		r := one(t, Config{Dir: dir, Attempts: 1, PerHost: 1, Park: time.Hour, MaxPark: time.Hour, Transport: w}, Item{URL: "http://a.test/"})
		saved(t, r, dir, big)
		if len(r.Attempts) != 40 || r.ElapsedMS > time.Minute.Milliseconds() {
			t.Errorf("%d attempts in %d ms", len(r.Attempts), r.ElapsedMS)
		}
	})
}

// limited brings most bytes, then nothing until its context ends.
type limited struct {
	ctx  context.Context
	data []byte
	most int
}

func (s *limited) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	if s.most == 0 {
		<-s.ctx.Done()
		return 0, s.ctx.Err()
	}
	n := copy(p[:min(len(p), s.most)], s.data)
	s.data, s.most = s.data[n:], s.most-n
	return n, nil
}

func (s *limited) Close() error { return nil }

// Items that are equal in all are one file: they take turns at it, and each gets its record.
func TestEqualItemsTakeTurns(t *testing.T) {
	var mu sync.Mutex
	running, most := make(map[string]int), 0
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		running[r.URL.Path]++
		most = max(most, running[r.URL.Path])
		cut := n%3 == 0
		mu.Unlock()
		defer func() {
			mu.Lock()
			running[r.URL.Path]--
			mu.Unlock()
		}()
		w.Header().Set("ETag", tag)
		if cut && r.Header.Get("Range") == "" {
			send(200, body, 70_000)(w, r)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	defer srv.Close()
	dir := t.TempDir()
	var items []Item
	for i := range 60 {
		items = append(items, Item{URL: srv.URL + "/" + string(rune('a'+i%3))})
	}
	sink := &collector{t: t}
	counts, err := Run(t.Context(), Config{Dir: dir, Backoff: 1, PerHost: 16}, Items(items...), sink)
	if err != nil || counts.OK != 60 || counts.Waiting != 0 || counts.Left() != 0 {
		t.Fatalf("%+v, %v", counts, err)
	}
	if most != 1 {
		t.Errorf("%d requests for one file ran at a time", most)
	}
	if got := files(t, dir); len(got) != 3 {
		t.Errorf("%d files, want 3", len(got))
	}
}

// A stop leaves no litter: what is not worth going on with is removed, what is worth it is kept with its note, and gone on with.
func TestWhatAStopLeaves(t *testing.T) {
	for _, tc := range []struct {
		brought int
		etag    string
		left    int
		asked   string // of the next run
	}{{1000, tag, 0, ""}, {100_000, tag, 2, "bytes=100000-"}, {100_000, "W/" + tag, 0, ""}} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			gone := errors.New("gone")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer time.AfterFunc(time.Second, func() { cancel(gone) }).Stop()
			asked := ""
			w := wire(func(r *http.Request) (*http.Response, error) {
				asked = r.Header.Get("Range")
				from, _ := strconv.Atoi(strings.Trim(asked, "bytes=-"))
				res := answer(r, 200, "", "ETag", tc.etag)
				if from > 0 {
					res.StatusCode = 206
					res.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
				}
				res.ContentLength = int64(len(body) - from)
				res.Body = &limited{ctx: r.Context(), data: body[from:], most: tc.brought}
				return res, nil
			})
			sink := &collector{t: t}
			_, err := Run(ctx, Config{Dir: dir, Transport: w}, URLs("http://a.test/x"), sink)
			if !errors.Is(err, gone) || len(sink.records) != 0 {
				t.Errorf("%v, %d records", err, len(sink.records))
			}
			if got := files(t, dir); len(got) != tc.left {
				t.Errorf("%d bytes, %s: %d files are left, want %d", tc.brought, tc.etag, len(got), tc.left)
			}
			tc.brought = len(body)
			saved(t, one(t, Config{Dir: dir, Transport: w}, Item{URL: "http://a.test/x"}), dir, body)
			if asked != tc.asked {
				t.Errorf("the next run asked for %q, want %q", asked, tc.asked)
			}
		})
	}
}
