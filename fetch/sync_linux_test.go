package fetch

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// Whole bodies that wait for the disk when a run is abandoned are put by for a later run at the same time, not one after the other.
func TestManyAreAbandonedAtATime(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		dir := inMemoryDir(t)
		synctest.Test(t, func(t *testing.T) {
			slowBodies(t)
			w := wire(func(r *http.Request) (*http.Response, error) { return answer(r, 200, string(body), "ETag", tag), nil })
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			stop := make(chan struct{})
			if stopped {
				time.AfterFunc(time.Second, func() { close(stop) })
			}
			c := Config{Dir: dir, Transport: w, Stop: stop, Grace: time.Second}
			begin := time.Now()
			counts, err := Run(ctx, c, URLs(manyURLs(200)...), &collector{t: t})
			if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || counts.Done() > 10 || took > 150*time.Second {
				t.Errorf("stopped %v: %+v, %v, after %v", stopped, counts, err, took)
			}
		})
	}
}

// A directory may have been made by a run that was killed before its name was safe.
func TestDirectoriesAboveAreSynced(t *testing.T) {
	dir := inMemoryDir(t)
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	host := filepath.Join(dir, "a.test")
	if err := os.Mkdir(host, 0o777); err != nil {
		t.Fatal(err)
	}
	synced := make(map[string]int)
	onSync(t, func(f file) error { synced[nameOf(t, f)]++; return nil })
	for _, sub := range []string{"00", "01"} {
		if err := s.mkdir(filepath.Join(host, sub)); err != nil {
			t.Fatal(err)
		}
	}
	if synced[dir] != 1 || synced[host] != 2 {
		t.Errorf("synced: %v, want 1 time %s and 2 times %s", synced, dir, host)
	}
}

// After a sync that failed, the next one may succeed though the bytes are lost: no note may speak of them.
func TestNoNoteAfterAFailedSync(t *testing.T) {
	for name, n := range map[string]int{"at the end": 2 << 20, "at a checkpoint": 9 << 20, "behind the worker": large / 2} {
		dir := inMemoryDir(t)
		failed := 0
		onSync(t, func(f file) error {
			if strings.HasSuffix(nameOf(t, f), ".part") && !strings.Contains(nameOf(t, f), ".probe") {
				if failed++; failed == 1 {
					return syscall.EIO
				}
			}
			return nil
		})
		w := wire(func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, strings.Repeat("x", n), "ETag", tag), nil
		})
		_, err := Run(t.Context(), Config{Dir: dir, Transport: w}, URLs("http://a.test/"), &collector{t: t})
		if !errors.Is(err, syscall.EIO) || failed != 1 {
			t.Errorf("%s: ended with %v, %d syncs", name, err, failed)
		}
		for left := range files(t, dir) {
			t.Errorf("%s: %s is left", name, left)
		}
	}
}

// A store that cannot be used leaves no file open: nothing else would ever close it.
func TestAProbeThatFailsLeavesNoOpenFile(t *testing.T) {
	dir := inMemoryDir(t)
	onSync(t, func(f file) error {
		if strings.HasSuffix(nameOf(t, f), ".part") {
			return syscall.EIO
		}
		return nil
	})
	if _, err := openStore(dir); !errors.Is(err, syscall.EIO) {
		t.Fatalf("opened with %v", err)
	}
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if name, _ := os.Readlink(fd); strings.HasPrefix(name, dir+"/") {
			t.Errorf("%s is still open", name)
		}
	}
}
