package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mettle-go/mettle/fetch"
)

// An output is where the records go: stdout, or a file from which a later run goes on.
type output struct {
	fetch.Sink
	journal *fetch.Journal // nil for stdout
	name    string         // of the file
}

// openOutput opens the file of that name; without one, the output is stdout.
func openOutput(name string, c fetch.JournalConfig, stdout io.Writer) (*output, error) {
	if name == "" || name == "-" {
		if c.RetryFailed {
			return nil, failed(exitUsage, "--retry-failed is given without --output, want the file of results, too")
		}
		return &output{Sink: &stream{w: stdout}}, nil
	}
	j, err := fetch.OpenJournal(name, c)
	if err != nil {
		e, _ := errors.AsType[*fetch.JournalError](err)
		return nil, badResults(name, 0, e)
	}
	return &output{Sink: j, journal: j, name: name}, nil
}

// terminal reports whether the results go to a terminal.
func (o *output) terminal() bool {
	if s, ok := o.Sink.(*stream); ok {
		return isTerminal(s.w)
	}
	info, err := os.Stat(o.name)
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	f, err := os.Open(o.name)
	if err != nil {
		return false
	}
	defer f.Close()
	return isTerminal(f)
}

// close writes and saves what is left. The lines are safe only if it returns nil.
func (o *output) close() error {
	if o.journal != nil {
		return o.journal.Close()
	}
	return o.Flush()
}

// before tells what earlier runs left in the file.
func (o *output) before(w io.Writer, retry bool, dir string) {
	if o.journal == nil || o.journal.Len() == 0 {
		return
	}
	going := "going on"
	if n := o.journal.Failed(); retry && n > 0 {
		going = number(n) + " failed, going on with those in the list, too"
	}
	fmt.Fprintf(w, "mettle: %s has %s, %s\n", quoted(o.name), plural(o.journal.Len(), "result"), going)
	if n := o.journal.Bodiless(); dir != "" && n > 0 {
		fmt.Fprintf(w, "mettle: no body was saved for %s there, and none is fetched again for that\n", plural(n, "good result"))
		fmt.Fprintf(w, "hint: to have all bodies in %s, start with a new --output file\n", quoted(dir))
	}
}

// after tells what in the file belongs to no item of the list.
func (o *output) after(w io.Writer) {
	if o.journal == nil {
		return
	}
	if n := o.journal.Unmatched(); n > 0 {
		belong := "belong"
		if n == 1 {
			belong = "belongs"
		}
		fmt.Fprintf(w, "mettle: %s in %s %s to no URL of the list\n", plural(n, "result"), quoted(o.name), belong)
	}
}

// resume is the hint of a run that left something to do.
func (o *output) resume() string {
	if o.journal == nil {
		return "with -o FILE, the same command goes on where it stopped"
	}
	return "run the same command again to go on"
}

// badResults says what is wrong with the file, which has that many results.
func badResults(name string, results int64, e *fetch.JournalError) *failure {
	switch {
	case errors.Is(e, fetch.ErrBusy):
		return failed(exitOutput, "another mettle is writing to %s", quoted(name))
	case errors.Is(e, fetch.ErrNotJournal):
		return failed(exitUsage, "--output is %s, whose line %d is no result, want a results file of mettle fetch, or a new file",
			quoted(name), e.Line).hinting("name another file; this one stays as it is")
	case errors.Is(e, fetch.ErrOtherList):
		return failed(exitUsage, "--output is %s, which has %s, none for a URL of the list", quoted(name), plural(results, "result")).
			hinting("give the list that it belongs to, or name another file")
	}
	return cannotWrite(name, e.Err)
}

// cannotSave says why bodies cannot be saved, and what to do.
func cannotSave(e *fetch.SaveError, resume string) *failure {
	f := failed(exitOutput, "cannot save bodies: %s: %v", quoted(e.Path), e.Err)
	switch {
	case errors.Is(e, syscall.ENOSPC), errors.Is(e, syscall.EDQUOT):
		return f.hinting("free space, then %s", resume)
	case errors.Is(e, syscall.ENOTDIR), errors.Is(e, fs.ErrPermission), errors.Is(e, syscall.EROFS):
		return f.hinting("--dir wants a directory in which files can be made")
	}
	return f.hinting("%s", resume)
}

func cannotWrite(name string, err error) *failure {
	if dir := filepath.Dir(name); errors.Is(err, fs.ErrNotExist) && missing(dir) {
		return failed(exitOutput, "cannot write results to %s: there is no directory %s", quoted(name), quoted(dir)).
			hinting("make it with: mkdir -p %s", quoted(dir))
	}
	f := failed(exitOutput, "cannot write results to %s: %v", quoted(name), plainError(err))
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return f.hinting("free space, then run the same command again to go on")
	}
	return f
}

func missing(name string) bool {
	_, err := os.Stat(name)
	return errors.Is(err, fs.ErrNotExist)
}

// writeAt is how many bytes of lines are kept back at most. A write is always of whole lines, so that who reads along
// never sees half of one.
const writeAt = 64 << 10

// A stream is a fetch.Sink for what is not ours to open, close or save: stdout.
type stream struct {
	w     io.Writer
	lines []byte // not written yet
}

// Write takes a record.
func (s *stream) Write(r *fetch.Record) error {
	line, err := r.Line()
	if err != nil {
		return cannotWrite("stdout", err)
	}
	s.lines = append(s.lines, line...)
	if len(s.lines) < writeAt {
		return nil
	}
	return s.Flush()
}

// Flush writes what was kept back.
func (s *stream) Flush() error {
	if len(s.lines) == 0 {
		return nil
	}
	_, err := s.w.Write(s.lines)
	s.lines = s.lines[:0] // also after an error: what comes next must not begin in the middle of a line
	if err != nil {
		return cannotWrite("stdout", err)
	}
	return nil
}
