package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// onSync puts look in the place of every sync, which it may do or not, until the test has ended.
func onSync(t *testing.T, look func(f file) error) {
	was := syncFile
	syncFile = look
	t.Cleanup(func() { syncFile = was })
}

// slowBodies lets the disk take ten seconds for the bytes of each body. The test must be in a synctest bubble.
func slowBodies(t *testing.T) {
	onSync(t, func(f file) error {
		if name := nameOf(t, f); strings.HasSuffix(name, ".part") && !strings.Contains(name, "probe") {
			time.Sleep(10 * time.Second)
		}
		return nil
	})
}

// nameOf is the name of an open file.
func nameOf(t *testing.T, f file) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		t.Error(err)
	}
	return name
}

// answers brings a small body for each URL.
var answers = wire(func(r *http.Request) (*http.Response, error) { return answer(r, 200, "body of "+r.URL.Path), nil })

// manyURLs are n URLs of a few hosts.
func manyURLs(n int) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://h%d.test/%d", i%3, i)
	}
	return urls
}

// watching is a sink that looks at each record when it comes.
type watching struct {
	look func(r *Record)
	n    int
}

func (w *watching) Write(r *Record) error { w.n++; w.look(r); return nil }
func (w *watching) Flush() error          { return nil }

// Before the line of a body is written, its bytes are synced, then it gets its name, then that is synced, and so are the names of its directories.
func TestNoRecordBeforeItsFileIsSafe(t *testing.T) {
	dir := filepath.Join(inMemoryDir(t), "new", "dir")
	var mu sync.Mutex
	bytes, names := make(map[string]bool), make(map[string]bool)
	onSync(t, func(f file) error {
		name := nameOf(t, f)
		mu.Lock()
		defer mu.Unlock()
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			bytes[strings.TrimSuffix(name, ".part")] = true
			return nil
		}
		entries, err := os.ReadDir(name) // as they are now
		for _, e := range entries {
			path := filepath.Join(name, e.Name())
			if e.Type().IsRegular() && !strings.Contains(path, ".part") && !bytes[path] {
				t.Errorf("%s has its name, and its bytes are not synced", path)
			}
			names[path] = true
		}
		return err
	})
	sink := &watching{look: func(r *Record) {
		mu.Lock()
		defer mu.Unlock()
		if !r.OK || !bytes[r.Path] {
			t.Errorf("%s: ok %v, and its bytes are not synced", r.Path, r.OK)
		}
		for path := r.Path; path != filepath.Dir(filepath.Dir(dir)); path = filepath.Dir(path) {
			if !names[path] {
				t.Errorf("%s has its record, and the name of %s is not synced", r.Path, path)
			}
		}
	}}
	w := wire(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "77") {
			return answer(r, 200, string(text(1, 2*large))), nil
		}
		return answers.RoundTrip(r)
	})
	counts, err := Run(t.Context(), Config{Dir: dir, Transport: w}, URLs(manyURLs(500)...), sink)
	if err != nil || counts.OK != 500 || sink.n != 500 {
		t.Errorf("%+v, %v", counts, err)
	}
}

// While the disk takes its time, workers fetch, but not without end; and one wait serves many bodies.
func TestBodiesAreSavedBehindTheWorkers(t *testing.T) {
	dir := inMemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		var asked, syncs, slow atomic.Int64
		onSync(t, func(file) error {
			syncs.Add(1)
			time.Sleep(time.Duration(slow.Load()))
			return nil
		})
		w := wire(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			slow.Store(int64(time.Second)) // the store has been opened
			return answers.RoundTrip(r)
		})
		begin := time.Now()
		most := int64(0)
		done, running := int64(0), int64(0)
		meter := new(Meter)
		sink := &watching{look: func(*Record) {
			done++
			most = max(most, asked.Load()-done)
			running = max(running, meter.Counts().Running)
		}}
		const n = 2000
		counts, err := Run(t.Context(), Config{Dir: dir, Transport: w, Concurrency: 4, PerHost: 4, Meter: meter}, URLs(manyURLs(n)...), sink)
		if err != nil || counts.OK != n {
			t.Fatalf("%+v, %v", counts, err)
		}
		if most > mostSaving+4 || most < mostSaving/2 {
			t.Errorf("%d bodies were fetched and not saved at a time, want about %d", most, mostSaving)
		}
		if running < mostSaving/2 || counts.Running != 0 {
			t.Errorf("%d running at a time, and %d in the end, want those that are being saved among them", running, counts.Running)
		}
		// Each directory is made once, which its worker waits for. One body after the other would take 4,000 s, four at a time 1,000.
		if took := time.Since(begin); took > 400*time.Second {
			t.Errorf("%d bodies took %v", n, took)
		}
	})
}

// An error of the disk ends the run, whichever sync it is that brings it, and no record speaks of what is lost.
func TestSyncsThatFail(t *testing.T) {
	for name, fails := range map[string]func(name string) bool{
		"of the bytes":     func(name string) bool { return strings.HasSuffix(name, ".part") },
		"of the names":     func(name string) bool { return len(filepath.Base(name)) == 2 },
		"of the host":      func(name string) bool { return strings.HasSuffix(name, ".test") },
		"of the directory": func(name string) bool { return strings.Contains(filepath.Base(name), "mettle-test-") },
	} {
		dir := inMemoryDir(t)
		var opened atomic.Bool
		onSync(t, func(f file) error {
			if opened.Load() && fails(nameOf(t, f)) {
				return syscall.EIO
			}
			return nil
		})
		w := wire(func(r *http.Request) (*http.Response, error) { opened.Store(true); return answers.RoundTrip(r) })
		sink := &collector{t: t}
		counts, err := Run(t.Context(), Config{Dir: dir, Transport: w, Concurrency: 1}, URLs("http://a.test/1", "http://a.test/2"), sink)
		if save, ok := errors.AsType[*SaveError](err); !errors.Is(err, ErrWrite) || !errors.Is(err, syscall.EIO) || !ok || !strings.HasPrefix(save.Path, dir) {
			t.Errorf("%s: the run ended with %v", name, err)
		}
		if len(sink.records) != 0 || counts.Done() != 0 {
			t.Errorf("%s: %d records, %+v", name, len(sink.records), counts)
		}
	}
}

// What is being saved when another body cannot be is not lost.
func TestOneBodyThatCannotBeSaved(t *testing.T) {
	dir := inMemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Bool
		onSync(t, func(f file) error {
			if begun.Load() {
				time.Sleep(time.Second)
			}
			return nil
		})
		w := wire(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/9" {
				inTheWay := filepath.Dir(filepath.Join(dir, bodyPath(Item{URL: r.URL.String()}, r.URL)))
				if err := os.WriteFile(inTheWay, nil, 0o666); err != nil {
					t.Error(err)
				}
			}
			begun.Store(true)
			return answers.RoundTrip(r)
		})
		var urls []string
		for i := range 11 {
			urls = append(urls, fmt.Sprintf("http://a.test/%d", i))
		}
		sink := &collector{t: t}
		_, err := Run(t.Context(), Config{Dir: dir, Transport: w, Concurrency: 1}, URLs(urls...), sink)
		if !errors.Is(err, ErrWrite) || !errors.Is(err, syscall.ENOTDIR) || len(sink.records) != 9 {
			t.Errorf("%d records, %v, want 9", len(sink.records), err)
		}
	})
}

// A run that is abandoned while bodies wait for the disk leaves what a later run can use: a whole body that is worth while, with its note, of which
// the server is asked for the end only; and no litter.
func TestAbandonedWhileSaving(t *testing.T) {
	dir := inMemoryDir(t)
	gone := errors.New("gone")
	asked := ""
	w := wire(func(r *http.Request) (*http.Response, error) {
		if asked = r.Header.Get("Range"); asked != "" {
			return answer(r, 416, "", "Content-Range", fmt.Sprintf("bytes */%d", len(body)), "ETag", tag), nil
		}
		if r.URL.Path == "/large" {
			return answer(r, 200, string(body), "ETag", tag), nil
		}
		return answers.RoundTrip(r)
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		onSync(t, func(f file) error {
			if strings.HasSuffix(nameOf(t, f), ".part") && ctx.Err() == nil {
				time.Sleep(time.Second)
			}
			return nil
		})
		first := wire(func(r *http.Request) (*http.Response, error) {
			synctest.Wait() // until those before it are with the disk
			if r.URL.Path == "/3" {
				cancel(gone)
			}
			return w.RoundTrip(r)
		})
		sink := &collector{t: t}
		_, err := Run(ctx, Config{Dir: dir, Transport: first, Concurrency: 1}, URLs("http://a.test/1", "http://a.test/2", "http://a.test/large", "http://a.test/3"), sink)
		if !errors.Is(err, gone) {
			t.Errorf("ended with %v", err)
		}
		for name := range files(t, dir) {
			if strings.Contains(name, ".part") && !strings.HasPrefix(name, "large") {
				t.Errorf("%s is left", name)
			}
		}
	})
	onSync(t, file.Sync)
	if r := one(t, Config{Dir: dir, Transport: w}, Item{URL: "http://a.test/large"}); !r.OK || r.SHA256 != sumOf(body) || asked != fmt.Sprintf("bytes=%d-", len(body)) {
		t.Errorf("%+v, asked for %q", r, asked)
	}
}

// A stop waits for what is being saved.
func TestStopWhileSaving(t *testing.T) {
	dir := inMemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		slowBodies(t)
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		sink := &collector{t: t}
		counts, err := Run(t.Context(), Config{Dir: dir, Transport: answers, Stop: stop, Grace: 5 * time.Second}, URLs(manyURLs(30)...), sink)
		if err != nil || counts.OK != 30 || len(sink.records) != 30 {
			t.Errorf("%+v, %v, %d records", counts, err, len(sink.records))
		}
	})
}

// Nobody waits for those who wait for a disk when the run is abandoned in its grace.
func TestAbandonedWhileSavingInTheGrace(t *testing.T) {
	dir := inMemoryDir(t)
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Bool
		onSync(t, func(f file) error {
			if begun.Load() && strings.HasSuffix(nameOf(t, f), ".part") {
				time.Sleep(10 * time.Second)
			}
			return nil
		})
		w := wire(func(r *http.Request) (*http.Response, error) {
			begun.Store(true)
			return answers.RoundTrip(r)
		})
		ctx, cancel := context.WithCancel(t.Context())
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		time.AfterFunc(3*time.Second, cancel)
		var urls []string
		for i := range 30 {
			urls = append(urls, fmt.Sprintf("http://a.test/%d", i))
		}
		sink := &collector{t: t}
		counts, err := Run(ctx, Config{Dir: dir, Transport: w, Concurrency: 1, Stop: stop, Grace: time.Second}, URLs(urls...), sink)
		if err == nil || counts.Done() != int64(len(sink.records)) {
			t.Errorf("%+v, %v, %d records", counts, err, len(sink.records))
		}
		for name := range files(t, dir) {
			if strings.Contains(name, ".part") {
				t.Errorf("%s is left", name)
			}
		}
	})
}

// Too many open files when a name is to be synced is a trouble that passes, as it is elsewhere.
func TestTooManyOpenFilesWhileSaving(t *testing.T) {
	dir := inMemoryDir(t)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Bool
		onSync(t, func(f file) error {
			if begun.Load() && strings.HasSuffix(nameOf(t, f), ".part") {
				tight := was
				tight.Cur = 3
				time.AfterFunc(300*time.Millisecond, func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was) })
				return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &tight)
			}
			return nil
		})
		w := wire(func(r *http.Request) (*http.Response, error) { begun.Store(true); return answers.RoundTrip(r) })
		saved(t, one(t, Config{Dir: dir, Transport: w}, Item{URL: "http://a.test/1"}), dir, []byte("body of /1"))
	})
}
