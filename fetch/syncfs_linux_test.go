//go:build linux && (amd64 || arm64)

package fetch

import (
	"os"
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
		all := syncAll(d)
		if (all != nil) != known {
			t.Errorf("%s: known %v, want %v", dir, all != nil, known)
		}
		if all != nil {
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
