// Package page puts tables into pages of documentation.
package page

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Marks returns the lines of a page between which the table of that name stands.
func Marks(name string) (begin, end string) {
	return "<!-- " + name + ": begin -->\n", "<!-- " + name + ": end -->\n"
}

// Between returns the page with the table in place of what stands between the marks of that name.
func Between(page []byte, name string, table []byte) ([]byte, error) {
	begin, end := Marks(name)
	before, rest, ok := bytes.Cut(page, []byte(begin))
	if !ok {
		return nil, fmt.Errorf("bench: the page has no line %q", begin[:len(begin)-1])
	}
	_, after, ok := bytes.Cut(rest, []byte(end))
	if !ok {
		return nil, fmt.Errorf("bench: the page has no line %q after the first mark", end[:len(end)-1])
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte("\n"), table, []byte("\n"), []byte(end), after}, nil), nil
}

// Rewrite puts the table of that name into the page at path. The page is replaced as a whole, so that no error leaves half of it.
func Rewrite(path, name string, table []byte) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if page, err = Between(page, name, table); err != nil {
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
