package main

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// manPages writes the pages and returns their directory.
func manPages(t *testing.T) string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	var errs bytes.Buffer
	if code := run(context.Background(), []string{"man", dir}, nil, io.Discard, &errs); code != exitOK {
		t.Fatalf("man ends with %d: %s", code, &errs)
	}
	return dir
}

func TestManPagesAreThoseOfTheCommands(t *testing.T) {
	dir := manPages(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := []string{"mettle.1"}
	for _, name := range commandNames(newRoot()) {
		want = append(want, "mettle-"+name+".1")
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the pages are %v, want %v", got, want)
	}
}

func TestManPagesAreReproducible(t *testing.T) {
	defer func(l *time.Location) { time.Local = l }(time.Local)
	time.Local = time.FixedZone("elsewhere", 9*60*60)
	first, second := manPages(t), manPages(t)
	for _, name := range []string{"mettle.1", "mettle-fetch.1"} {
		a, errA := os.ReadFile(filepath.Join(first, name))
		b, errB := os.ReadFile(filepath.Join(second, name))
		if err := cmp.Or(errA, errB); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from itself: %v", name, err)
		}
		if !bytes.HasPrefix(a, []byte(".TH METTLE")) || !bytes.Contains(a[:80], []byte(`"2023-11-14"`)) {
			t.Errorf("%s begins with %.80q, want the date of SOURCE_DATE_EPOCH", name, a)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "today")
	var errs bytes.Buffer
	code := run(context.Background(), []string{"man", first}, nil, io.Discard, &errs)
	if want := "SOURCE_DATE_EPOCH is today, want seconds since 1970\n"; code != exitOutput || !strings.HasSuffix(errs.String(), want) {
		t.Errorf("it ends with %d and %q, want %q", code, &errs, want)
	}
}

// What groff and mandoc have to say of a page is about what a reader would not see.
func TestManPagesRenderWithoutWarnings(t *testing.T) {
	dir := manPages(t)
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, checker := range [][]string{{"groff", "-ww", "-b", "-man", "-Tutf8", "-z"}, {"mandoc", "-Tlint", "-Wstyle"}} {
		t.Run(checker[0], func(t *testing.T) {
			if _, err := exec.LookPath(checker[0]); err != nil {
				t.Skip(err)
			}
			for _, page := range pages {
				out, err := exec.Command(checker[0], append(checker[1:], page)...).CombinedOutput()
				if err != nil || len(out) > 0 {
					t.Errorf("%s: %v\n%s", filepath.Base(page), err, out)
				}
			}
		})
	}
}

// Each flag, and each word of help, is to be read as it is in --help.
func TestManPageSaysWhatHelpSays(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip(err)
	}
	dir := manPages(t)
	for _, cmd := range documented(newRoot()) {
		out, err := exec.Command("groff", "-man", "-Tascii", "-P-cbou", "-rLL=200n", filepath.Join(dir, pageName(cmd)+".1")).Output()
		if err != nil {
			t.Fatal(err)
		}
		page := words(string(out))
		var help bytes.Buffer
		if code := run(context.Background(), append(strings.Fields(cmd.CommandPath())[1:], "--help"), nil, &help, &help); code != exitOK {
			t.Fatal(help.String())
		}
		text, flags, _ := strings.Cut(help.String(), "\nUsage:")
		for paragraph := range strings.SplitSeq(text, "\n\n") {
			if !strings.Contains(page, words(paragraph)) {
				t.Errorf("the page of %s lacks %q", cmd.Name(), words(paragraph))
			}
		}
		// A flag begins with its name, and goes on in lines that are indented deeper.
		found := regexp.MustCompile(`(?m)^ +(?:-\w, )?--.*(?:\n {9,}.*)*`).FindAllString(flags, -1)
		if len(found) == 0 {
			t.Errorf("%s has no flags in\n%s", cmd.Name(), flags)
		}
		for _, f := range found {
			if !strings.Contains(page, words(f)) {
				t.Errorf("the page of %s lacks %q", cmd.Name(), words(f))
			}
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.Contains(string(out), strings.TrimSpace(line)) {
				t.Errorf("the page of %s lacks the line %s", cmd.Name(), line)
			}
		}
	}
}

// words is s without what lines and columns make of it.
func words(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestRoffEscapesWhatRoffWouldTake(t *testing.T) {
	var r roff
	r.text("A \\ and a 'quote'.\nSee --flag.\n\n  kept\n    ~/deeper `x`\n\n  more ^\nend")
	want := "A \\e and a \\(aqquote\\(aq.\nSee \\-\\-flag.\n.PP\n.nf\n.RS 2\nkept\n  \\(ti/deeper \\(gax\\(ga\n.sp\nmore \\(ha\n.RE\n.fi\n.PP\nend\n"
	if got := r.String(); got != want {
		t.Errorf("text is\n%s\nwant\n%s", got, want)
	}
	r.Reset()
	r.fill(".hidden")
	r.text("'dir")
	if got, want := r.String(), "\\&.hidden\n\\(aqdir\n"; got != want {
		t.Errorf("a line is %q, want %q", got, want)
	}
}
