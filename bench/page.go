package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// The lines of a page between which -write puts the table.
const (
	beginMark = "<!-- bench: begin -->\n"
	endMark   = "<!-- bench: end -->\n"
)

// between returns page with table in place of what stands between the marks.
func between(page, table []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(page, []byte(beginMark))
	if !ok {
		return nil, fmt.Errorf("bench: the page has no line %q", beginMark[:len(beginMark)-1])
	}
	_, after, ok := bytes.Cut(rest, []byte(endMark))
	if !ok {
		return nil, fmt.Errorf("bench: the page has no line %q after the first mark", endMark[:len(endMark)-1])
	}
	return bytes.Join([][]byte{before, []byte(beginMark), []byte("\n"), table, []byte("\n"), []byte(endMark), after}, nil), nil
}

// rewrite puts the table into the page at path. The page is replaced as a whole, so that no error leaves half of it.
func rewrite(path string, table []byte) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if page, err = between(page, table); err != nil {
		return fmt.Errorf("%w in %s", err, path)
	}
	next, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return err
	}
	defer os.Remove(next.Name())
	_, err = next.Write(page)
	if closed := next.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Chmod(next.Name(), 0o644)
	}
	if err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
