//go:build unix

package fetch

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Results that root has had another go at are still their user's.
func TestRetryKeepsTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files to others")
	}
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(resultLine("http://a.test/1", KindDNS)))
	if err := os.Chown(name, 4711, 4712); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := resumed(t, name, JournalConfig{RetryFailed: true}, false, URLs("http://a.test/1")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || os.SameFile(info, before) {
		t.Fatalf("the file was not replaced, %v", err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 4711 || s.Gid != 4712 || info.Mode() != 0o640 {
		t.Errorf("the file belongs to %d and %d, %v", s.Uid, s.Gid, info.Mode())
	}
}
