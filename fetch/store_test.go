package fetch

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Those directories whose names have to get onto the disk with the first body.
func TestDirectoriesThatAreNew(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir("there", 0o777); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]string{
		".": nil, "there": nil, "there/": nil, "there/../there/a": {"there/a"}, "a/b": {"a/b", "a"}, "../" + filepath.Base(here) + "/a": {"../" + filepath.Base(here) + "/a"},
		filepath.Join(here, "a", "b"): {filepath.Join(here, "a", "b"), filepath.Join(here, "a")}, "/": nil,
	} {
		got := absent(dir)
		for i := range got {
			got[i] = filepath.ToSlash(got[i])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
	}
}

func TestPathsAreRelativeToTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	srv := scripted(t, send(200, body, -1))
	for _, dir := range []string{"sub/dir", "./x/../y/", "."} {
		r := one(t, Config{Dir: dir}, Item{URL: srv.URL + "/n.txt"})
		if got, err := os.ReadFile(r.Path); err != nil || !bytes.Equal(got, body) || filepath.IsAbs(r.Path) {
			t.Errorf("%s: path %q, %v", dir, r.Path, err)
		}
	}
}
