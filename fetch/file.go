package fetch

import "io"

// A file is what a part needs of an *os.File.
type file interface {
	io.WriteCloser
	Sync() error
	Fd() uintptr
}

// syncFile makes what was written to f safe from a power loss. Tests look on here.
var syncFile = file.Sync
