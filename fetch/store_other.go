//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package fetch

import "os"

func lockDir(*os.File) bool { return true }

// cannotSyncNames is true of every error: Windows opens no directory for writing, which a sync needs, and its
// file systems keep names in a journal.
func cannotSyncNames(error) bool { return true }
