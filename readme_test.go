package mettle_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The papers say what to run and which test proves what. These tests keep them true.

func paperText(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadmeShowsTheExample(t *testing.T) {
	_, shown, _ := strings.Cut(paperText(t, "README.md"), "```go\n")
	shown, _, ok := strings.Cut(shown, "```")
	if !ok {
		t.Fatal("README.md has no Go code")
	}
	_, body, _ := strings.Cut(paperText(t, "example_readme_test.go"), "\t// README:\n")
	body, _, ok = strings.Cut(body, "\t// Output:")
	if !ok {
		t.Fatal("example_readme_test.go has no code for README.md")
	}
	var code strings.Builder
	for line := range strings.Lines(body) {
		code.WriteString(strings.TrimPrefix(line, "\t"))
	}
	if shown != code.String() {
		t.Errorf("README.md shows\n%s\nwhere Example_readme has\n%s", shown, code.String())
	}
}

func TestSemanticsShowsTheStacks(t *testing.T) {
	var code strings.Builder
	for line := range strings.Lines(paperText(t, "example_stacks_test.go")) {
		code.WriteString(strings.TrimPrefix(line, "\t"))
	}
	_, rest, ok := strings.Cut(paperText(t, "docs/semantics.md"), "```go\n")
	if !ok {
		t.Fatal("docs/semantics.md has no Go code")
	}
	for ok {
		var shown string
		shown, rest, _ = strings.Cut(rest, "```")
		if !strings.Contains(code.String(), shown) {
			t.Errorf("docs/semantics.md shows what example_stacks_test.go has not:\n%s", shown)
		}
		_, rest, ok = strings.Cut(rest, "```go\n")
	}
}

func TestReadmeIsShort(t *testing.T) {
	if n := strings.Count(paperText(t, "README.md"), "\n"); n >= 150 {
		t.Errorf("README.md has %d lines, want fewer than 150", n)
	}
}

// testsIn returns the names of the tests, fuzz targets and examples of the packages in dir, and below it if dir ends in "...".
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	root, all := strings.CutSuffix(dir, "...")
	root = filepath.Clean(root)
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (!all || strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			for _, m := range function.FindAllStringSubmatch(paperText(t, path), -1) {
				names = append(names, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func papers(t *testing.T) []string {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/semantics.md", "docs/benchmarks.md"}
	decisions, err := filepath.Glob("docs/adr/*.md")
	if err != nil || len(decisions) == 0 {
		t.Fatalf("docs/adr holds %d pages, error %v", len(decisions), err)
	}
	return append(names, decisions...)
}

// A pattern that matches nothing passes, and a command in the papers that runs nothing would prove nothing. A bar is not
// understood, since a table has to escape it and who copies it from the source would run something else.
func TestCommandsInThePapersRunTests(t *testing.T) {
	command := regexp.MustCompile(`go test -run '([^'|]*)'((?: \.[\w./]*)+)`)
	found := 0
	for _, paper := range papers(t) {
		body := paperText(t, paper)
		commands := command.FindAllStringSubmatch(body, -1)
		if n := strings.Count(body, "go test -run"); n != len(commands) {
			t.Errorf("%s has %d commands, of which this test understands %d, want go test -run 'PATTERN' ./DIR", paper, n, len(commands))
		}
		for _, m := range commands {
			found++
			run := regexp.MustCompile(m[1])
			for _, dir := range strings.Fields(m[2]) {
				matches := 0
				for _, name := range testsIn(t, dir) {
					if run.MatchString(name) {
						matches++
					}
				}
				if matches == 0 {
					t.Errorf("%s: %s: no test in %s matches", paper, m[0], dir)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no commands found")
	}
}

func TestTestsNamedInThePapersExist(t *testing.T) {
	exist := make(map[string]bool)
	for _, name := range testsIn(t, "./...") {
		exist[name] = true
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z0-9]\\w*)`")
	for _, paper := range papers(t) {
		for _, m := range named.FindAllStringSubmatch(paperText(t, paper), -1) {
			if !exist[m[1]] {
				t.Errorf("%s names %s, which does not exist", paper, m[1])
			}
		}
	}
}

func TestLinksInThePapersLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, paper := range papers(t) {
		for _, m := range link.FindAllStringSubmatch(paperText(t, paper), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(paper), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", paper, m[1], err)
			}
		}
	}
}
