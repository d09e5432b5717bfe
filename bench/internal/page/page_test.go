package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheTableReplacesWhatStandsBetweenTheMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	begin, end := Marks("bench")
	other, stays := Marks("another")
	head, tail := "# Title\n\n"+other+"a table\n"+stays+begin, end+"\nThe end.\n"
	if err := os.WriteFile(path, []byte(head+"old\n"+tail), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"| a |\n", "| b |\n"} {
		if err := Rewrite(path, "bench", []byte(table)); err != nil {
			t.Fatal(err)
		}
		want := head + "\n" + table + "\n" + tail
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("page is %q, error %v, want %q", got, err, want)
		}
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("left %v beside the page, error %v", files, err)
	}
}

func TestAPageWithoutMarksStaysAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	begin, end := Marks("bench")
	other, stays := Marks("another")
	for _, page := range []string{"", begin, end, end + begin, strings.TrimSpace(begin) + end, other + stays} {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Rewrite(path, "bench", []byte("table\n")); err == nil || !strings.Contains(err.Error(), "page.md") {
			t.Errorf("page %q: error %v, want one that names the page", page, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != page {
			t.Errorf("page %q became %q, error %v", page, got, err)
		}
	}
}
