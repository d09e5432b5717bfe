//go:build unix

package fetch

import (
	"os"
	"syscall"
)

// keepOwner gives f the owner and the group that info tells, as far as this process may.
func keepOwner(f *os.File, info os.FileInfo) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if ok && f.Chown(int(s.Uid), int(s.Gid)) != nil {
		f.Chown(-1, int(s.Gid)) // which the members of a group may do
	}
}
