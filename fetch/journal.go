package fetch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Why a Journal cannot be used.
var (
	// ErrBusy: another process writes to the file.
	ErrBusy = errors.New("another process is writing to it")
	// ErrNotJournal: the file holds something that is not a result. It is left as it is.
	ErrNotJournal = errors.New("this is not a result of fetch")
	// ErrOtherList: the file has results, but of no item in the list. It is left as it is.
	ErrOtherList = errors.New("none of its results is of an item in the list")
)

// A JournalError says what is wrong with the file of a Journal. Err is one of ErrBusy, ErrNotJournal and ErrOtherList, or comes from the
// system.
type JournalError struct {
	Name string // of the file
	Line int64  // from 1; 0 if it is about the file as a whole
	Err  error
}

// Error names the file, the line and the reason.
func (e *JournalError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("fetch: results file %s line %d: %v", e.Name, e.Line, e.Err)
	}
	return fmt.Sprintf("fetch: results file %s: %v", e.Name, e.Err)
}

// Unwrap returns the reason.
func (e *JournalError) Unwrap() error { return e.Err }

// JournalConfig says what to make of the results in a Journal's file. The zero JournalConfig keeps them all.
type JournalConfig struct {
	// RetryFailed fetches the items of failed results again, after all others. When the list has been read to its end, a new file takes the place of
	// the old one, without the failed results of items in the list; those of other items stay. It has the old one's mode and, as far as the system lets
	// it, owner and group. A process that is killed while it writes the new file leaves it behind as NAME.retry-XXXXXXXX. False means that failed items count
	// as done.
	RetryFailed bool
}

// A Journal is a Sink that keeps the records in a file, one JSON line each, from which a later run goes on: Run skips the items that have
// a line there and counts them as the line says. So the same run started again does what is left, however the last one ended, be it by
// a power cut.
//
// An item is known by its ID, or else by its method and URL; the URL of an item with an ID may change between runs. Where several items of the
// list have the same, each line stands for one of them, the one with its URL if there is one; those that differ in their bodies or headers
// only need IDs of their own.
//
// Lines are appended whole, in groups, and synced to the disk at most once a second and at the end. If the file ends in the middle of a
// line, that line is cut off before the first write, and its item fetched again. A file that holds anything else than results,
// and one that has results but none of an item in the list, is refused and stays as it is.
//
// The file is locked against other processes where the system can do that (flock), until Close. A device or a pipe is just written to.
//
// A Journal serves one Run, and must be closed after it. Its methods may be called from several goroutines. It takes 12 bytes of memory for
// each line that was in the file, and opening it reads the file once: about 2 seconds for a gigabyte that is in the
// system's memory.
type Journal struct {
	name  string
	retry bool
	known *index
	meter *Meter // of the run

	bodiless int64

	mu      sync.Mutex // around all below
	file    appender
	size    int64 // of the file, up to the last whole line that counts
	keep    int   // of the bytes that follow size, a result without its newline
	torn    bool  // something else follows those
	settled bool  // the file is the list's, and mended: there is nothing after size
	began   bool  // a run uses it
	matched bool  // all items of the list were compared

	lines   []byte // not written yet
	kinds   []Kind // of lines
	failed  error  // of the first write that failed; nothing is written after it
	unsaved bool   // written, not synced yet
	synced  time.Time
	regular bool // the file has a size and can be synced
}

// An appender is the file of a Journal: an *os.File, or what a test puts in its place.
type appender interface {
	Write([]byte) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// OpenJournal opens the file of that name, or creates it, and reads the results it has. It changes nothing that is there: that waits until
// Run has found an item of its list among the results. Errors are of type *JournalError.
func OpenJournal(name string, c JournalConfig) (*Journal, error) {
	j := &Journal{name: name, retry: c.RetryFailed, known: newIndex(), synced: time.Now()}
	f, err := openResults(name)
	if err != nil {
		return nil, j.wrong(err)
	}
	j.file = f
	if err := j.load(f); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// openResults opens and locks a file.
func openResults(name string) (*os.File, error) {
	for {
		mode := os.O_RDWR
		if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			mode = os.O_WRONLY // a pipe that is opened for reading, too, would never have to wait for its reader
		}
		f, err := os.OpenFile(name, mode|os.O_CREATE|os.O_APPEND, 0o666)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			return f, nil
		}
		if err == nil {
			err = lock(f)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		// Whoever had the lock may have put a new file in this one's place.
		if now, err := os.Stat(name); err == nil && os.SameFile(info, now) {
			return f, nil
		}
		f.Close()
	}
}

// Len is how many results the file had when it was opened.
func (j *Journal) Len() int64 { return j.known.len }

// Bodiless is how many of them are of items that are ok but have no file: they were fetched without Config.Dir, or by HEAD.
func (j *Journal) Bodiless() int64 { return j.bodiless }

// Failed is how many of them are of items that failed.
func (j *Journal) Failed() int64 { return j.known.failed() }

// Unmatched is how many of them belong to no item of the list. It is 0 until the whole list has been read.
func (j *Journal) Unmatched() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.matched {
		return 0
	}
	return j.known.len - j.known.taken
}

// wrong says that err is about j's file.
func (j *Journal) wrong(err error) error {
	if _, ok := errors.AsType[*JournalError](err); ok {
		return err
	}
	if e, ok := errors.AsType[*os.PathError](err); ok {
		err = e.Err // the name is said once
	}
	return &JournalError{Name: j.name, Err: err}
}
