package main

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/fetch"
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
func (d *fakeDisk) Truncate(size int64) error { d.text = d.text[:size]; return nil }

func (d *fakeDisk) output() *output {
	return &output{name: "out.jsonl", w: d, disk: d, synced: time.Now()}
}

func record(id string) *fetch.Record { return &fetch.Record{ID: id, Outcome: fetch.OK, OK: true} }

func TestOutputWritesWholeLinesInGroups(t *testing.T) {
	d := &fakeDisk{room: 1 << 30}
	o := d.output()
	long := strings.Repeat("x", 1000)
	for range 1000 {
		if err := o.Write(record(long)); err != nil {
			t.Fatal(err)
		}
		if d.text != "" && !strings.HasSuffix(d.text, "}\n") {
			t.Fatalf("half a line is written: …%s", d.text[len(d.text)-100:])
		}
	}
	if d.writes < 10 || d.writes > 30 {
		t.Errorf("%d writes of 1000 kB, want one every 64 kB", d.writes)
	}
	if err := o.close(); err != nil || len(recordsOf(t.Fatalf, d.text)) != 1000 {
		t.Errorf("%v after %d bytes", err, len(d.text))
	}
}

func TestOutputIsSyncedOnceASecondAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDisk{room: 1 << 30}
		o := d.output()
		for range 55 {
			time.Sleep(100 * time.Millisecond)
			o.Write(record("a"))
			if err := o.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if d.syncs != 5 || d.writes != 55 {
			t.Errorf("%d syncs and %d writes in 5.5s, want 5 and 55", d.syncs, d.writes)
		}
		time.Sleep(time.Minute)
		if o.Flush(); d.syncs != 6 {
			t.Errorf("%d syncs, want one more for what was written since", d.syncs)
		}
		if o.Flush(); d.syncs != 6 {
			t.Errorf("%d syncs, want none for nothing", d.syncs)
		}
		o.Write(record("a"))
		if err := o.close(); err != nil || d.syncs != 7 {
			t.Errorf("%v, %d syncs, want the last at the end", err, d.syncs)
		}
	})
}

func TestFullDiskKeepsWholeLines(t *testing.T) {
	d := &fakeDisk{room: 1000}
	o := d.output()
	var err error
	for err == nil {
		if err = o.Write(record("abc")); err == nil {
			err = o.Flush()
		}
	}
	f, ok := errors.AsType[*failure](err)
	if !ok || f.code != exitOutput || f.text != "cannot write results to out.jsonl: no space left on device" {
		t.Errorf("error is %v", err)
	}
	if n := len(recordsOf(t.Fatalf, d.text)); n < 5 || d.writes != n+1 {
		t.Errorf("%d records after %d writes", n, d.writes)
	}
	writes := d.writes
	if err := o.close(); err != nil || d.writes != writes {
		t.Errorf("close tries again: %v", err)
	}
}

func TestFailedSyncIsAFailure(t *testing.T) {
	d := &fakeDisk{room: 1000, failing: syscall.EIO}
	o := d.output()
	o.Write(record("a"))
	if code := report(new(strings.Builder), o.close()); code != exitOutput {
		t.Errorf("exit code is %d, want %d", code, exitOutput)
	}
}
