package fetch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// A SaveError says that a body could not be saved, and why: the disk is full, the directory may not be written. It is
// no failure of an item. A Run that meets one ends with it, as ErrWrite.
type SaveError struct {
	Path string // of the file or directory
	Err  error
}

// Error names the path and the reason.
func (e *SaveError) Error() string { return "saving " + e.Path + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *SaveError) Unwrap() error { return e.Err }

// unsaved wraps the error of an operation on path. Those of package os name paths themselves.
func unsaved(path string, err error) error {
	if _, ok := errors.AsType[*SaveError](err); ok {
		return err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	} else if e, ok := errors.AsType[*os.LinkError](err); ok {
		err = e.Err
	}
	return &SaveError{Path: path, Err: err}
}

// scarce reports whether err passes when other files are closed.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// A store is the directory of the bodies, which belongs to one run at a time: two would write into each other's parts.
type store struct {
	dir  string
	lock *os.File

	mu   sync.Mutex
	made map[string]bool // directories that are there, and will be after a power loss: whether they have nothing but what this run put there, and no note
}

// mostMade bounds the memory for directories of a run over very many hosts. To make one once more costs a system call or two.
const mostMade = 1 << 14

// openStore makes the directory, unless it is there, takes it for this run and proves that all that may be needed of it works.
func openStore(dir string) (s *store, err error) {
	fresh := absent(dir)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, unsaved(dir, err)
	}
	for _, d := range fresh {
		if err := syncNames(filepath.Dir(d)); err != nil {
			return nil, err
		}
	}
	s = &store{dir: dir, made: make(map[string]bool)}
	if s.lock, err = os.Open(dir); err != nil {
		return nil, unsaved(dir, err)
	}
	if lock(s.lock) != nil {
		err = &SaveError{Path: dir, Err: errors.New("another run saves into this directory")}
	} else {
		err = s.probe()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// absent returns dir and those above it, as far as they are not there.
func absent(dir string) (all []string) {
	for {
		dir = filepath.Clean(dir)
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return all
		}
		all = append(all, dir)
		dir = filepath.Dir(dir)
	}
}

func (s *store) close() { s.lock.Close() }

// probe does once what saving a body does, with the longest names that there can be.
func (s *store) probe() (err error) {
	top := filepath.Join(s.dir, ".probe-"+strings.Repeat("x", longestName+len("_65535")-len(".probe-")))
	if err := os.RemoveAll(top); err != nil { // of a run that was killed
		return unsaved(s.dir, err)
	}
	defer func() {
		if rerr := os.RemoveAll(top); err == nil && rerr != nil {
			err = unsaved(s.dir, rerr)
		}
	}()
	sub := filepath.Join(top, "00")
	if err := s.mkdir(sub); err != nil {
		return err
	}
	p := &part{store: s, path: filepath.Join(sub, strings.Repeat("x", longestName)+"-0123456789abcdef"), total: -1}
	defer p.drop() // which closes the file, if that is still open
	if err := p.create(); err != nil {
		return err
	}
	if err := p.write([]byte("x")); err != nil {
		return err
	}
	if err := p.checkpoint(); err != nil {
		return err
	}
	return p.finish()
}

// mkdir makes dir and the one above it, where they are missing, but not the store's own: if that is gone, it was taken away, or its disk was. What
// it makes is safe from a power loss when it returns.
func (s *store) mkdir(dir string) error {
	s.mu.Lock()
	_, ok := s.made[dir]
	s.mu.Unlock()
	if ok {
		return nil
	}
	if above := filepath.Dir(dir); above != filepath.Clean(s.dir) {
		// Also if it is there: another worker may have made it in this moment, or a run that was killed before it was safe.
		if err := s.mkdir(above); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o777)
	fresh := err == nil
	if !fresh && !errors.Is(err, fs.ErrExist) {
		return unsaved(dir, err)
	}
	if err := syncNames(filepath.Dir(dir)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.made) >= mostMade {
		clear(s.made)
	}
	if _, ok := s.made[dir]; !ok { // else it may be another worker that has made it, or put a note there
		s.made[dir] = fresh
	}
	return nil
}

// pristine reports whether there can be nothing of an earlier run in dir.
func (s *store) pristine(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[dir]
}

// touched says that there is a note in dir now.
func (s *store) touched(dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[dir] = false
}

// syncNames makes the names in dir safe from a power loss, where the system can do that.
func syncNames(dir string) error {
	d, err := openDir(dir)
	if err != nil {
		return unsaved(dir, err)
	}
	defer d.Close()
	err = syncFile(d)
	if runtime.GOOS == "windows" || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // there is no such thing here
	}
	if err != nil {
		return unsaved(dir, err)
	}
	return nil
}
