//go:build linux && !arm

package fetch

import (
	"io"
	"syscall"
)

// A bareFile is a file or directory by its number. What package os does beside, with a poller that is of no use to these, a
// finalizer, and a look at what a rename replaces, took a third of the system calls of a small body.
type bareFile int

// createFile makes a file that is not there yet.
func createFile(name string) (file, error) {
	return open(name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL)
}

// openDir opens a directory to sync it.
func openDir(name string) (file, error) { return open(name, syscall.O_RDONLY|syscall.O_DIRECTORY) }

func open(name string, flags int) (file, error) {
	for {
		fd, err := syscall.Open(name, flags|syscall.O_CLOEXEC, 0o666)
		if err == nil {
			return bareFile(fd), nil
		}
		if err != syscall.EINTR {
			return nil, err
		}
	}
}

func (f bareFile) Write(b []byte) (n int, err error) {
	for n < len(b) {
		m, err := syscall.Write(int(f), b[n:])
		if m > 0 {
			n += m
		}
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return n, err
		case m == 0:
			return n, io.ErrUnexpectedEOF
		}
	}
	return n, nil
}

func (f bareFile) Sync() error { return uninterrupted(func() error { return syscall.Fsync(int(f)) }) }

// Close is not repeated when it is interrupted: the number may be another file's by then.
func (f bareFile) Close() error {
	if err := syscall.Close(int(f)); err != syscall.EINTR {
		return err
	}
	return nil
}

func (f bareFile) Fd() uintptr { return uintptr(f) }

// rename gives a file another name, in place of what has that now.
func rename(from, to string) error {
	return uninterrupted(func() error { return syscall.Rename(from, to) })
}

func uninterrupted(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// startWriting asks the system to begin with writing what was written to f. Nobody waits for that, and nothing depends on it.
func startWriting(f file) {
	const write = 2 // SYNC_FILE_RANGE_WRITE
	syscall.SyncFileRange(int(f.Fd()), 0, 0, write)
}
