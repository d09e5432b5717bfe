package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// tmpfs mounts an empty file system of that many bytes.
func tmpfs(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// A disk that gets full ends the run, cleanly: what was saved is whole and has its record, what was not is still to do, and the same run again,
// with room, goes on.
func TestFullDisk(t *testing.T) {
	dir := tmpfs(t, 1<<20)
	asked := make(map[string]int)
	urls := make([]string, 8)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://a.test/%d", i)
	}
	w := wire(func(r *http.Request) (*http.Response, error) {
		asked[r.URL.Path]++
		return answer(r, 200, string(body), "ETag", tag), nil
	})
	sink := &collector{t: t}
	counts, err := Run(t.Context(), Config{Dir: dir, Transport: w, Concurrency: 1}, URLs(urls...), sink)
	save, ok := errors.AsType[*SaveError](err)
	if !errors.Is(err, ErrWrite) || !errors.Is(err, syscall.ENOSPC) || !ok || !strings.HasPrefix(save.Path, dir) {
		t.Fatalf("the run ended with %v", err)
	}
	if counts.OK != 5 || counts.Failed != 0 || counts.Left() != 3 || len(sink.records) != 5 || len(asked) != 6 {
		t.Errorf("%+v, %d records, %d URLs asked for", counts, len(sink.records), len(asked))
	}
	for _, r := range sink.records {
		if got, err := os.ReadFile(r.Path); err != nil || string(got) != string(body) {
			t.Errorf("%s: %d bytes, %v", r.Path, len(got), err)
		}
	}
	for name, content := range files(t, dir) {
		// What is left of the one for which there was no room is either nothing, or the beginning with its note.
		if strings.HasSuffix(name, ".part") && len(content) < int(worthwhile) || strings.HasSuffix(name, ".new") {
			t.Errorf("%s with %d bytes is left", name, len(content))
		}
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8388608"); err != nil {
		t.Fatal(err)
	}
	sink = &collector{t: t}
	if counts, err := Run(t.Context(), Config{Dir: dir, Transport: w, Concurrency: 1}, URLs(urls[5:]...), sink); err != nil || counts.OK != 3 {
		t.Errorf("with room: %+v, %v", counts, err)
	}
	if got := files(t, dir); len(got) != 8 {
		t.Errorf("%d files, want 8", len(got))
	}
}

// Where nothing can be saved, nothing is asked for.
func TestDirsThatAreNone(t *testing.T) {
	full := tmpfs(t, 64<<10)
	write(t, filepath.Join(full, "x"), make([]byte, 32<<10))
	for err := error(nil); err == nil; { // to the last page
		var f *os.File
		f, err = os.OpenFile(filepath.Join(full, "x"), os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, err = f.Write(make([]byte, 4096))
			f.Close()
		}
	}
	sealed := tmpfs(t, 64<<10)
	if err := syscall.Mount("tmpfs", sealed, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	deep := t.TempDir()
	for len(deep) < 3900 { // so that the directory can be made, but not everything that belongs into it
		deep = filepath.Join(deep, strings.Repeat("d", min(200, 3950-len(deep))))
	}
	taken := t.TempDir()
	s, err := openStore(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for name, tc := range map[string]struct {
		dir  string
		want string
	}{
		"full":      {full, "no space left on device"},
		"read-only": {sealed, "read-only file system"},
		"a file":    {file, "not a directory"},
		"in a file": {filepath.Join(file, "sub"), "not a directory"},
		"too deep":  {deep, "file name too long"},
		"taken":     {taken, "another run saves into this directory"},
	} {
		w := wire(func(*http.Request) (*http.Response, error) {
			t.Errorf("%s: a request was made", name)
			return nil, errors.New("no")
		})
		sink := &collector{t: t}
		_, err := Run(t.Context(), Config{Dir: tc.dir, Transport: w}, URLs("http://a.test/"), sink)
		if !errors.Is(err, ErrWrite) || !strings.HasSuffix(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.dir) || len(sink.records) != 0 {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
	if left := files(t, taken); len(left) != 0 {
		t.Errorf("the proof that it can be written leaves %v", left)
	}
}

// A directory that goes away under the run is not made again: its disk may have been unmounted.
func TestDirThatGoesAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	n := 0
	m := new(Meter)
	w := wire(func(r *http.Request) (*http.Response, error) {
		if n++; n == 3 {
			for m.Counts().OK < 2 {
				runtime.Gosched()
			}
			os.RemoveAll(dir)
		}
		return answer(r, 200, "body"), nil
	})
	sink := &collector{t: t}
	counts, err := Run(t.Context(), Config{Dir: dir, Transport: w, Concurrency: 1, Meter: m}, URLs("http://a/1", "http://a/2", "http://b/3", "http://b/4"), sink)
	if !errors.Is(err, ErrWrite) || !errors.Is(err, os.ErrNotExist) || counts.OK != 2 || n != 3 {
		t.Errorf("%+v, %v after %d requests", counts, err, n)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the directory was made again")
	}
}

// Too many open files is a trouble of ours that passes: it is no reason to end, nor to blame the item's host.
func TestTooManyOpenFiles(t *testing.T) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	n := 0
	w := wire(func(r *http.Request) (*http.Response, error) {
		tight := was
		if n++; n == 1 {
			tight.Cur = 3
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &tight); err != nil {
			t.Error(err)
		}
		return answer(r, 200, "body"), nil
	})
	dir := t.TempDir()
	r := one(t, Config{Dir: dir, Transport: w}, Item{URL: "http://a.test/"})
	saved(t, r, dir, []byte("body"))
	if n != 2 || !strings.Contains(r.Attempts[0].Error, "too many open files") {
		t.Errorf("%d requests, %+v", n, r.Attempts)
	}
}
