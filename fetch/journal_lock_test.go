package fetch

import (
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

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
				if _, ok := j.known.takeAny("0"); !ok {
					t.Error("the result cannot be taken")
				}
				err = j.withoutTaken(t.Context(), 1)
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
