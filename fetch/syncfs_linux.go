//go:build linux && (amd64 || arm64)

package fetch

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// The file systems of which it is known that syncfs(2) writes all that fsync(2) would.
const (
	magicExt   = 0xef53
	magicXFS   = 0x58465342
	magicBtrfs = 0x9123683e
	magicTmpfs = 0x01021994
)

// syncAll returns a function that syncs the whole file system of the directory, and one that reports whether another directory is on the same,
// or nil where that is not known to be as safe as syncing each file. Before Linux 5.8, syncfs did not tell of bytes that could not be written.
func syncAll(d *os.File) (all func() error, own func(dir string) bool) {
	var u syscall.Utsname
	var fs syscall.Statfs_t
	var here syscall.Stat_t
	if syscall.Uname(&u) != nil || !since(u.Release[:], 5, 8) || syscall.Fstatfs(int(d.Fd()), &fs) != nil || syscall.Fstat(int(d.Fd()), &here) != nil {
		return nil, nil
	}
	switch fs.Type {
	case magicExt, magicXFS, magicBtrfs, magicTmpfs:
	default:
		return nil, nil
	}
	number := uintptr(306) // package syscall has it for arm64 only
	if runtime.GOARCH == "arm64" {
		number = 267
	}
	all = func() error {
		for {
			_, _, errno := syscall.Syscall(number, d.Fd(), 0, 0)
			switch errno {
			case 0:
				return nil
			case syscall.EINTR:
			default:
				return os.NewSyscallError("syncfs", errno)
			}
		}
	}
	own = func(dir string) bool {
		var there syscall.Stat_t
		return syscall.Stat(dir, &there) == nil && there.Dev == here.Dev
	}
	return all, own
}

// since reports whether the release of a kernel, such as 6.1.0-13-amd64, is that version or a later one.
func since[C int8 | uint8](release []C, major, minor int) bool {
	var b strings.Builder
	for _, c := range release {
		b.WriteByte(byte(c))
	}
	first, rest, _ := strings.Cut(b.String(), ".")
	digits := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		digits = rest[:i]
	}
	x, err1 := strconv.Atoi(first)
	y, err2 := strconv.Atoi(digits)
	return err1 == nil && err2 == nil && (x > major || x == major && y >= minor)
}
