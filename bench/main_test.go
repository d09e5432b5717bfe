package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/bench/internal/page"
)

func cli(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestUsageErrors(t *testing.T) {
	for args, want := range map[string]string{
		"-rounds 0":         "-rounds is 0, want 1 or more",
		"-time -1s":         "-time is -1s, want more than 0",
		"-time 0s":          "-time is 0s, want more than 0",
		"-run [":            "missing closing ]",
		"-run nothing/here": "-run matches no row",
		"-json -markdown":   "want one of -json, -markdown, -write and -check",
		"-check -write x":   "want one of -json, -markdown, -write and -check",
		"breaker":           "1 arguments, want flags only",
		"-fast":             "flag provided but not defined: -fast",
	} {
		code, stdout, stderr := cli(t.Context(), strings.Fields(args)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, stdout %q, stderr %q; want 2, none, %q", args, code, stdout, stderr, want)
		}
	}
}

func TestHelp(t *testing.T) {
	if code, stdout, stderr := cli(t.Context(), "-h"); code != 0 || stdout != "" || !strings.Contains(stderr, "-rounds") {
		t.Errorf("code %d, stdout %q, stderr %q, want 0 and the flags", code, stdout, stderr)
	}
}

func TestCheckTimesNothing(t *testing.T) {
	code, stdout, stderr := cli(t.Context(), "-check", "-run", "^breaker/closed$")
	if code != 0 || stdout != "1 row(s): every contender does what its row says\n" || stderr != "" {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestRunMeasuresTheChosenRows(t *testing.T) {
	code, stdout, stderr := cli(t.Context(), "-json", "-rounds", "2", "-time", "10us", "-run", "^(clock|breaker/open)$")
	var got report
	if err := json.Unmarshal([]byte(stdout), &got); code != 0 || err != nil {
		t.Fatalf("code %d, stderr %q, error %v", code, stderr, err)
	}
	if want := "go run ./bench -json -rounds 2 -time 10us -run '^(clock|breaker/open)$'"; got.Command != want {
		t.Errorf("command is %s, want %s", got.Command, want)
	}
	if len(got.Results) != 2 || got.Results[0].Row != "clock" || got.Results[1].Row != "breaker/open" {
		t.Fatalf("results are %+v, want those of clock and breaker/open", got.Results)
	}
	for _, f := range got.Results[1].Figures {
		if f.Median <= 0 || f.Low > f.Median || f.Median > f.High || f.Ratio <= 0 {
			t.Errorf("figure %+v", f)
		}
	}
}

func TestNothingIsTimedUnlessTheChecksPass(t *testing.T) {
	var out, errs bytes.Buffer
	timed := false
	lame := contender{name: "lame", start: func(*bed) loop { timed = true; return rejects(pass) }, check: func(*bed) error { return errDown }}
	o := options{plan: plan{1, 1, func() {}}, rows: []row{{"row", "a row", []contender{lame}}}}
	if code := o.run(t.Context(), nil, &out, &errs); code != 1 || out.Len() > 0 || errs.String() != "bench: row: lame: down\n" || timed {
		t.Errorf("code %d, stdout %q, stderr %q, timed %t; want 1, none, the name of who failed, false", code, &out, &errs, timed)
	}
	lame.check = func(*bed) error { return nil }
	o.rows[0].contenders[0] = lame
	errs.Reset()
	if code := o.run(t.Context(), nil, &out, &errs); code != 1 || out.Len() > 0 || !strings.HasSuffix(errs.String(), "bench: row: lame: "+errPassed.Error()+"\n") {
		t.Errorf("code %d, stdout %q, stderr %q; want 1, none, the name of who failed", code, &out, &errs)
	}
}

func TestWriteRewritesThePage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	beginMark, endMark := page.Marks("bench")
	if err := os.WriteFile(path, []byte("Before.\n"+beginMark+endMark+"After.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := cli(t.Context(), "-write", path, "-rounds", "1", "-time", "1us", "-run", "^call$")
	text, err := os.ReadFile(path)
	if code != 0 || stdout != "" || err != nil {
		t.Fatalf("code %d, stdout %q, stderr %q, error %v", code, stdout, stderr, err)
	}
	for _, want := range []string{"Before.\n" + beginMark, "| fn(ctx) | ", endMark + "After.\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
}

func TestAnInterruptEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, stdout, stderr := cli(ctx, "-run", "^call$"); code != 130 || stdout != "" || stderr != "bench: interrupted\n" {
		t.Errorf("code %d, stdout %q, stderr %q, want 130, none, bench: interrupted", code, stdout, stderr)
	}
}

func TestThePageOfTheRepositoryHasItsMarks(t *testing.T) {
	text, err := os.ReadFile("../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := page.Between(text, "bench", nil); err != nil {
		t.Error(err)
	}
}
