//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package fetch

import (
	"errors"
	"os"
	"syscall"
)

// lockDir takes the open directory for this process until it is closed, and reports whether nobody else has it. A file system without
// locks gives it to everybody.
func lockDir(d *os.File) bool {
	return !errors.Is(syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// cannotSyncNames reports whether err, of the sync of a directory, means that the file system has no such thing.
func cannotSyncNames(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP)
}
