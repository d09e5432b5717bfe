package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle/bench/internal/page"
)

func TestTables(t *testing.T) {
	rows := []*row{
		{name: "mettle fetch", group: "kept", first: true, walls: []float64{2, 1, 3}, cpus: []float64{1, 1, 4}, ratios: []float64{1, 1, 1}},
		{name: "curl", group: "kept", walls: []float64{3, 3, 3}, cpus: []float64{0.5, 0.25, 0.75}, ratios: []float64{1.5, 3, 1}},
	}
	scores := []score{{tool: ariaTool, flags: "-x1", judgment: judgment{good: 1500, lost: 10, wrong: 2}, requests: 1234567, violations: 3,
		cost: cost{wall: 1250 * time.Millisecond}}}
	const want = `
| 20,000 files of 1 KiB from nginx | seconds | quartiles | ratio | CPU seconds |
|---|---:|:---:|---:|---:|
| **kept** | | | | |
| mettle fetch | 2.00 | 1.50 – 2.50 | 1.00 | 1.00 |
| curl | 3.00 | 3.00 – 3.00 | 1.50 | 0.50 |

| 2,000 URLs of hostile servers, 1,510 of which can be had | good | lost | wrong | requests | holds broken | seconds |
|---|---:|---:|---:|---:|---:|---:|
| aria2c | 1,500 | 10 | 2 | 1,234,567 | 3 | 1.2 |

The flags, in the second table:

- aria2c: ` + "`-x1`\n"
	var got bytes.Buffer
	smallTable(&got, 20_000, rows)
	hostileTable(&got, 2000, 1510, scores)
	if got.String() != want {
		t.Errorf("tables are\n%s\nwant\n%s", &got, want)
	}
}

func TestThePageOfTheRepositoryHasItsMarks(t *testing.T) {
	text, err := os.ReadFile("../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := page.Between(text, "download", nil); err != nil {
		t.Error(err)
	}
}

// Under this name, the test binary is the program, which starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "loop" || os.Args[1] == "serve") {
		main()
		return
	}
	os.Exit(m.Run())
}

// A little of all, where the tools are.
func TestAllOfIt(t *testing.T) {
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	for _, name := range []string{"curl", "aria2c", "nginx"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("there is no ", name)
		}
	}
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "page.md")
	begin, end := page.Marks("download")
	if err := os.WriteFile(path, []byte(begin+end), 0o666); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	err := run(t.Context(), []string{"-files", "100", "-rounds", "2", "-urls", "3", "-memory", dir, "-disk", dir, "-write", path}, nil, nil, &errs)
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| mettle fetch | ", "| curl | ", "| aria2c | ", "| bare http.Client loop | ", "nginx 1.", "; curl ", "- curl: `--"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, error %v", left, err)
	}
}
