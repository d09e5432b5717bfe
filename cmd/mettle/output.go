package main

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/mettle-go/mettle/fetch"
)

const (
	// writeAt is how many bytes of lines are kept back at most. A write is always of whole lines, so that who reads along
	// never sees half of one.
	writeAt = 64 << 10
	// syncEvery is the least time between two syncs while records come. The last sync is at the end of the run.
	syncEvery = time.Second
)

// An output is where the records go: a fetch.Sink.
type output struct {
	name    string
	w       io.Writer
	closer  io.Closer // of w; nil if w is not ours
	disk    disk      // w, if it is a regular file
	size    int64     // of disk, up to the last whole line
	lines   []byte    // not written yet
	unsaved bool      // written, not synced yet
	synced  time.Time
}

type disk interface {
	Sync() error
	Truncate(size int64) error
}

// openOutput creates the file of that name; without one, the output is stdout.
func openOutput(name string, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		return &output{name: "stdout", w: stdout}, nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, cannotWrite(name, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, cannotWrite(name, err)
	}
	out := &output{name: name, w: f, closer: f, synced: time.Now()}
	if info.Mode().IsRegular() { // a device or a pipe has no size and cannot be synced
		out.disk = f
		if info.Size() > 0 {
			f.Close()
			return nil, failed(exitUsage, "--output is %s, which exists and is not empty, want a new file", quoted(name)).
				hinting("remove it, or name another file")
		}
	}
	return out, nil
}

// Write takes a record.
func (o *output) Write(r *fetch.Record) error {
	line, err := r.Line()
	if err != nil {
		return cannotWrite(o.name, err)
	}
	o.lines = append(o.lines, line...)
	if len(o.lines) < writeAt {
		return nil
	}
	return o.write()
}

// Flush writes what was kept back.
func (o *output) Flush() error {
	if err := o.write(); err != nil {
		return err
	}
	if o.unsaved && time.Since(o.synced) >= syncEvery {
		return o.sync()
	}
	return nil
}

func (o *output) write() error {
	if len(o.lines) == 0 {
		return nil
	}
	n, err := o.w.Write(o.lines)
	if err != nil {
		if o.disk != nil && n > 0 {
			// On a full disk a part may have been written. If it cannot be taken back either, err says enough.
			o.disk.Truncate(o.size)
		}
		o.lines = nil // what comes next must not begin in the middle of a line
		return cannotWrite(o.name, err)
	}
	o.size += int64(n)
	o.lines = o.lines[:0]
	o.unsaved = o.disk != nil
	return nil
}

func (o *output) sync() error {
	if err := o.disk.Sync(); err != nil {
		return cannotWrite(o.name, err)
	}
	o.unsaved, o.synced = false, time.Now()
	return nil
}

// close writes and saves what is left. The lines are safe only if it returns nil.
func (o *output) close() error {
	err := o.write()
	if err == nil && o.unsaved {
		err = o.sync()
	}
	if o.closer != nil {
		if cerr := o.closer.Close(); cerr != nil && err == nil {
			err = cannotWrite(o.name, cerr)
		}
	}
	return err
}

func cannotWrite(name string, err error) error {
	if _, ok := errors.AsType[*failure](err); ok {
		return err
	}
	return failed(exitOutput, "cannot write results to %s: %v", quoted(name), plainError(err))
}
