//go:build !linux || arm

package fetch

import "os"

// createFile makes a file that is not there yet.
func createFile(name string) (file, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err // not a nil *os.File, which would be a file
	}
	return f, nil
}

// openDir opens a directory to sync it.
func openDir(name string) (file, error) {
	d, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// rename gives a file another name, in place of what has that now.
func rename(from, to string) error { return os.Rename(from, to) }

// startWriting could ask the system to begin with writing what was written to the file. Nothing depends on it.
func startWriting(file) {}
