package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/mettle-go/mettle/fetch"
	"golang.org/x/term"
)

// Inputs are the lists to fetch, in order.
type inputs struct {
	source   fetch.Source
	terminal bool // one of them is typed by a person
	files    []*os.File
}

// openInputs opens every file, so that one that is missing is known before anything is fetched. They stay open, as a pipe cannot
// be opened a second time.
func openInputs(stdin io.Reader, names []string) (*inputs, error) {
	in := new(inputs)
	var sources []fetch.Source
	if len(names) == 0 {
		names = []string{"-"}
	}
	typed := false
	for _, name := range names {
		if name == "-" {
			if typed {
				in.close()
				return nil, failed(exitUsage, "- is given twice, want stdin once")
			}
			typed = true
			in.terminal = isTerminal(stdin)
			sources = append(sources, fetch.Lines("stdin", stdin))
			continue
		}
		f, err := openInput(name)
		if err != nil {
			in.close()
			return nil, err
		}
		in.files = append(in.files, f)
		sources = append(sources, fetch.Lines(name, f))
	}
	in.source = fetch.Concat(sources...)
	return in, nil
}

func openInput(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, cannotRead(name, err)
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		f.Close()
		if err == nil {
			err = errors.New("is a directory")
		}
		return nil, cannotRead(name, err)
	}
	return f, nil
}

// has reports whether the file of that name is one of the lists.
func (in *inputs) has(name string) (string, bool) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return "", false
	}
	for _, f := range in.files {
		if list, err := f.Stat(); err == nil && os.SameFile(info, list) {
			return name, true
		}
	}
	return "", false
}

func (in *inputs) close() {
	for _, f := range in.files {
		f.Close() // was only read
	}
}

// cannotRead names the file once: err may, too.
func cannotRead(name string, err error) *failure {
	f := failed(exitUsage, "cannot read %s: %v", quoted(name), plainError(err))
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return f.hinting("FILE is a file of URLs; for a single one: echo %s | mettle fetch", name)
	}
	return f
}

// inputOf is the name of the input whose reading failed with err.
func inputOf(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Path
	}
	return "the input"
}

// plainError is err without what the line about it says already: the operation, the file, the address.
func plainError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		return e.Err
	}
	return err
}

// isTerminal reports whether v, a reader or writer, is a terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// isPipe reports whether v, a reader or writer, is a pipe.
func isPipe(v any) bool {
	f, ok := v.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}
