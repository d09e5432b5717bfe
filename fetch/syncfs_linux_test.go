//go:build linux && (amd64 || arm64)

package fetch

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestKernelVersions(t *testing.T) {
	for release, want := range map[string]bool{
		"5.8.0": true, "5.8": true, "5.10.0-30-amd64": true, "6.1": true, "10.0.1": true, "5.7.19": false, "4.19.0": false, "5": false, "x.y": false, "": false,
	} {
		if got := since([]byte(release), 5, 8); got != want {
			t.Errorf("%q: %v, want %v", release, got, want)
		}
	}
}

func TestSyncAll(t *testing.T) {
	for dir, known := range map[string]bool{"/proc": false, "/dev/shm": true} {
		d, err := os.Open(dir)
		if err != nil {
			t.Skip(err)
		}
		defer d.Close()
		all, own := syncAll(d)
		if (all != nil) != known {
			t.Errorf("%s: known %v, want %v", dir, all != nil, known)
		}
		if all != nil {
			if !own(dir) || own("/proc") || own("/none") {
				t.Errorf("%s: own tells %v of itself, %v of another", dir, own(dir), own("/proc"))
			}
			if err := all(); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
			d.Close()
			if err := all(); err == nil {
				t.Errorf("%s: no error for a file that is closed", dir)
			}
		}
	}
}

// A sync of the store's file system is none of one that a link in it leads to, or that is mounted there.
func TestDirectoriesOnOtherDisks(t *testing.T) {
	dir, far := t.TempDir(), inMemoryDir(t)
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if s.sync == nil || s.own(far) {
		t.Skip("there is one file system only, or none that is known")
	}
	if err := os.Symlink(far, filepath.Join(dir, "far.test")); err != nil {
		t.Fatal(err)
	}
	s.sync = newBarrier(func() error { return nil })
	for name, shared := range map[string]bool{"near.test": true, "far.test": false} {
		sub := filepath.Join(dir, name, "00")
		if err := s.mkdir(sub); err != nil {
			t.Fatal(err)
		}
		for _, known := range []bool{true, false} {
			if !known {
				clear(s.made)
			}
			var alone atomic.Int64
			var wg sync.WaitGroup
			s.sync.turn <- struct{}{} // so that all come to the same round
			for range 3 {
				wg.Go(func() { s.safe(sub, func() error { alone.Add(1); return nil }) })
			}
			for alone.Load() < 3 && s.sync.waiting() < 3 {
				runtime.Gosched()
			}
			<-s.sync.turn
			wg.Wait()
			if n := alone.Load(); shared != (n == 0) {
				t.Errorf("%s: %d of 3 were synced by themselves", name, n)
			}
		}
	}
}

// waiting is how many wait for the next round.
func (b *barrier) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		return 0
	}
	return b.next.members
}
