package fetch

import (
	"bytes"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// writeAt is how many bytes of lines are kept back at most. A write is always of whole lines, so that who reads along
	// never sees half of one.
	writeAt = 64 << 10
	// syncEvery is the least time between two syncs while records come. The last sync is at the end of the run.
	syncEvery = time.Second
)

// Write takes a record. After an error nothing more is written.
func (j *Journal) Write(r *Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	lines, err := r.appendLine(j.lines)
	if err != nil {
		return j.wrong(err)
	}
	_, _, kind, err := resultOf(lines[len(j.lines) : len(lines)-1])
	if err != nil { // a later run would refuse the file
		return j.wrong(fmt.Errorf("the record of %s has no outcome, or failed without an Error", r.ID))
	}
	j.lines = lines
	if len(j.lines) >= writeAt {
		// r is not among kinds, as the run does not count what Write refuses.
		return j.write()
	}
	j.kinds = append(j.kinds, kind)
	return nil
}

// Flush writes what was kept back.
func (j *Journal) Flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.write(); err != nil {
		return err
	}
	if j.unsaved && time.Since(j.synced) >= syncEvery {
		return j.sync()
	}
	return nil
}

// Close writes and saves what is left, and unlocks the file. The records are safe only if it returns nil.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.write()
	if j.unsaved { // also after an error: what got through is results
		if serr := j.sync(); err == nil {
			err = serr
		}
	}
	if cerr := j.file.Close(); err == nil && cerr != nil {
		err = j.wrong(cerr)
	}
	return err
}

func (j *Journal) write() error {
	if j.failed != nil || len(j.lines) == 0 {
		return j.failed
	}
	if j.failed = j.mend(); j.failed != nil {
		j.drop(0)
		return j.failed
	}
	n, err := j.file.Write(j.lines)
	if err != nil {
		j.fall(n, err)
		return j.failed
	}
	j.size += int64(n)
	j.lines, j.kinds = j.lines[:0], j.kinds[:0]
	j.unsaved = j.regular
	return nil
}

// fall deals with a write of which only n bytes came through, as on a full disk: whole lines stay, half of one does not.
func (j *Journal) fall(n int, err error) {
	j.failed = j.wrong(err)
	kept := j.lines[:bytes.LastIndexByte(j.lines[:min(n, len(j.lines)-1)], '\n')+1]
	j.size += int64(len(kept))
	j.unsaved = j.regular
	j.drop(bytes.Count(kept, []byte("\n")))
	if j.regular && len(kept) < n {
		j.file.Truncate(j.size) // if that fails, the next run does it
	}
}

// drop takes back what was counted for the lines that were kept back and did not get into the file, but for the first n.
func (j *Journal) drop(n int) {
	for _, k := range j.kinds[min(n, len(j.kinds)):] {
		if j.meter != nil {
			j.meter.uncount(k)
		}
	}
	j.lines, j.kinds = nil, nil
}

func (j *Journal) sync() error {
	if err := j.file.Sync(); err != nil {
		j.failed = j.wrong(err)
		return j.failed
	}
	j.unsaved, j.synced = false, time.Now()
	return nil
}

// mend makes the file end with a whole line, before the first write to it.
func (j *Journal) mend() error {
	if j.settled {
		return nil
	}
	if j.torn {
		if err := j.file.Truncate(j.size + int64(j.keep)); err != nil {
			return j.wrong(err)
		}
		j.unsaved = true
	}
	if j.keep > 0 {
		if _, err := j.file.Write([]byte("\n")); err != nil {
			return j.wrong(err)
		}
		j.size += int64(j.keep) + 1
		j.unsaved = true
	}
	if j.size == 0 {
		// Where a directory cannot be opened or synced, a power cut may cost the file. That is not worth ending a run for.
		syncNames(filepath.Dir(j.name))
	}
	j.settled = true
	return nil
}
