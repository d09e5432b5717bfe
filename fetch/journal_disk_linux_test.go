package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// A disk that runs full ends the run, with whole lines and counts that are those of the file. With space on it, the same run
// again does the rest.
func TestJournalOnAFullDisk(t *testing.T) {
	dir := tmpfs(t, 64<<10)
	name := filepath.Join(dir, "results.jsonl")
	var list []string
	for i := range 1000 {
		list = append(list, fmt.Sprintf("http://a.test/%d", i))
		if i%7 == 0 {
			list[i] = fmt.Sprintf("http://a.test/gone/%d", i)
		}
	}
	first, err := resumed(t, name, JournalConfig{}, false, URLs(list...))
	if !errors.Is(err, ErrWrite) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	text := read(t, name)
	ids, _ := idsIn(t, text)
	failed := int64(bytes.Count(text, []byte(`"ok":false`)))
	if c := first.counts; len(ids) < 100 || c.Done() != int64(len(ids)) || c.Failed != failed || c.Kinds[KindStatus] != failed {
		t.Errorf("the file has %d results, %d of them failed; counted is %+v", len(ids), failed, c)
	}

	// Failed results cannot be taken out now, as that needs space for a while. Nothing is lost.
	known := slices.DeleteFunc(slices.Clone(list), func(u string) bool { return ids[u] == 0 })
	again, err := resumed(t, name, JournalConfig{RetryFailed: true}, false, URLs(known...))
	if !errors.Is(err, syscall.ENOSPC) || len(again.requests) != 0 || !bytes.Equal(read(t, name), text) {
		t.Errorf("retry on a full disk: %v, %d requests", err, len(again.requests))
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}

	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=8388608"); err != nil {
		t.Fatal(err)
	}
	last, err := resumed(t, name, JournalConfig{}, false, URLs(list...))
	now := read(t, name)
	if err != nil || last.counts.Before != int64(len(ids)) || len(last.requests) != 1000-len(ids) || !bytes.HasPrefix(now, text) {
		t.Errorf("with space: %v, %d requests, %+v", err, len(last.requests), last.counts)
	}
	if all, _ := idsIn(t, now); len(all) != 1000 || bytes.Count(now, []byte("\n")) != 1000 {
		t.Errorf("%d results in the end", len(all))
	}
}

func TestJournalThatCannotBeWritten(t *testing.T) {
	dir := tmpfs(t, 64<<10)
	name := filepath.Join(dir, "results.jsonl")
	write(t, name, nil)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	_, err := OpenJournal(name, JournalConfig{})
	if e, ok := errors.AsType[*JournalError](err); !ok || !errors.Is(e, syscall.EROFS) || e.Line != 0 {
		t.Errorf("on a disk that is only read: %v", err)
	}
}
