package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeDisk holds a file of limited size. Like a real one, it takes what fits.
type fakeDisk struct {
	text    string
	writes  int
	syncs   int
	room    int
	failing error // of Sync
}

func (d *fakeDisk) Write(p []byte) (int, error) {
	d.writes++
	n := min(len(p), d.room-len(d.text))
	d.text += string(p[:n])
	if n < len(p) {
		return n, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return n, nil
}

func (d *fakeDisk) Sync() error               { d.syncs++; return d.failing }
func (d *fakeDisk) Close() error              { return nil }
func (d *fakeDisk) Truncate(size int64) error { d.text = d.text[:size]; return nil }

func (d *fakeDisk) journal() *Journal {
	x := newIndex()
	x.seal()
	return &Journal{name: "out.jsonl", known: x, file: d, regular: true, settled: true, synced: time.Now()}
}

func okRecord(id string) *Record {
	return &Record{ID: id, URL: "http://a.test/", Outcome: OK, OK: true}
}

func failedRecord(id string, k Kind) *Record {
	return &Record{ID: id, URL: "http://a.test/", Outcome: Failed, Error: &Error{Kind: k}}
}

// linesOf counts the lines of text, which must all be whole results.
func linesOf(t *testing.T, text string) (n int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if _, _, _, err := resultOf([]byte(strings.TrimSuffix(line, "\n"))); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("line %.100q is not whole", line)
		}
		n++
	}
	return n
}

func TestJournalWritesWholeLinesInGroups(t *testing.T) {
	d := &fakeDisk{room: 1 << 30}
	j := d.journal()
	long := strings.Repeat("x", 1000)
	for range 1000 {
		if err := j.Write(okRecord(long)); err != nil {
			t.Fatal(err)
		}
		if d.text != "" && !strings.HasSuffix(d.text, "}\n") {
			t.Fatalf("half a line is written: …%s", d.text[len(d.text)-100:])
		}
	}
	if d.writes < 10 || d.writes > 30 {
		t.Errorf("%d writes of 1000 kB, want one every 64 kB", d.writes)
	}
	if err := j.Close(); err != nil || linesOf(t, d.text) != 1000 {
		t.Errorf("%v after %d bytes", err, len(d.text))
	}
}

func TestJournalIsSyncedOnceASecondAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{room: 1 << 30}
		j := d.journal()
		for range 55 {
			time.Sleep(100 * time.Millisecond)
			j.Write(okRecord("a"))
			if err := j.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if d.syncs != 5 || d.writes != 55 {
			t.Errorf("%d syncs and %d writes in 5.5s, want 5 and 55", d.syncs, d.writes)
		}
		time.Sleep(time.Minute)
		if j.Flush(); d.syncs != 6 {
			t.Errorf("%d syncs, want one more for what was written since", d.syncs)
		}
		if j.Flush(); d.syncs != 6 {
			t.Errorf("%d syncs, want none for nothing", d.syncs)
		}
		j.Write(okRecord("a"))
		if err := j.Close(); err != nil || d.syncs != 7 {
			t.Errorf("%v, %d syncs, want the last at the end", err, d.syncs)
		}
	})
}

// What a full disk took of a group of lines stays, up to the last whole one, and what it did not take is not counted.
func TestFullDiskKeepsWholeLines(t *testing.T) {
	for room := 400; room < 900; room++ {
		d := &fakeDisk{room: room}
		j := d.journal()
		j.meter = new(Meter)
		var err error
		for n := 0; err == nil; n++ {
			r := okRecord(fmt.Sprint(n))
			kind := Kind("")
			if n%2 == 1 {
				kind = KindDNS
				r = failedRecord(r.ID, kind)
			}
			if err = j.Write(r); err == nil {
				j.meter.resume(kind) // as Run counts
				if n%3 == 2 {
					err = j.Flush()
				}
			}
		}
		e, ok := errors.AsType[*JournalError](err)
		if !ok || e.Error() != "fetch: results file out.jsonl: no space left on device" || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("error is %v", err)
		}
		n, c := linesOf(t, d.text), j.meter.Counts()
		if want := strings.Count(d.text, `"ok":true`); c.OK != int64(want) || c.Failed != int64(n-want) || c.Kinds[KindDNS] != c.Failed {
			t.Fatalf("counted are %d ok, %d failed, and the file has %d of %d", c.OK, c.Failed, want, n)
		}
		if room-len(d.text) > 250 {
			t.Fatalf("of %d bytes only %d are used", room, len(d.text))
		}
		writes, d0 := d.writes, d.text
		d.room = 1 << 20
		for _, again := range []error{j.Write(okRecord("late")), j.Flush(), j.Close()} {
			if again != err {
				t.Fatalf("after an error there is %v", again)
			}
		}
		if d.writes != writes || d.text != d0 {
			t.Fatal("something was written after an error")
		}
	}
}

func TestFailedSyncIsAFailure(t *testing.T) {
	d := &fakeDisk{room: 1000, failing: syscall.EIO}
	j := d.journal()
	j.Write(okRecord("a"))
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close returns %v, want EIO", err)
	}
}

// What a later run could not read is not written.
func TestJournalWritesOnlyResults(t *testing.T) {
	d := &fakeDisk{room: 1000}
	j := d.journal()
	for _, r := range []*Record{{ID: "a"}, {ID: "a", Outcome: Failed}, {ID: "a", OK: true, Outcome: Failed}} {
		if err := j.Write(r); err == nil {
			t.Errorf("%+v is taken for a result", r)
		}
	}
	if err := j.Write(okRecord("b")); err != nil || j.Close() != nil || linesOf(t, d.text) != 1 {
		t.Errorf("%v, and the file has %s", err, d.text)
	}
}
