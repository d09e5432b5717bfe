package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/chaos"
)

// saved makes a job with these files in it.
func saved(t *testing.T, files map[string]string) job {
	t.Helper()
	j := job{dir: t.TempDir(), save: true, urls: []string{"http://a/0", "http://a/1", "http://a/2"}}
	if err := os.Mkdir(filepath.Join(j.dir, "files"), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

func TestClaims(t *testing.T) {
	for _, tc := range []struct {
		tool  tool
		files map[string]string
		want  string // of each URL: + for good, - for not
		err   string
	}{
		{curlTool, map[string]string{"stdout": "2 0\n0 22\n1 0\n"}, "-++", ""},
		{curlTool, map[string]string{"stdout": "0 0\n"}, "+--", ""},
		{curlTool, map[string]string{"stdout": "3 0\n"}, "", "no URL of that number"},
		{curlTool, map[string]string{"stdout": "curl: (6)\n"}, "", "invalid syntax"},
		{curlTool, map[string]string{"stdout": "oops\n"}, "", "not what was to be written"},
		{ariaTool, map[string]string{"stdout": "\nDownload Results:\ngid   |stat|avg speed  |path/URI\n======+====+===========+====\n" +
			"d7b2b5|OK  |   1.1MiB/s|/x/files/2\nabc123|ERR |       0B/s|/x/files/0\nabc124|INPR|       0B/s|/x/files/1\n\nStatus Legend:\n(OK):download completed.\n"}, "--+", ""},
		{ariaTool, map[string]string{"stdout": "d7b2b5|OK  |   1.1MiB/s|/x/files/two\n"}, "", "invalid syntax"},
		{loopTool, map[string]string{"stdout": "0 5\n2 0\n"}, "+-+", ""},
		{mettleTool, map[string]string{"results.jsonl": `{"url":"http://a/1","ok":true,"path":"files/x"}` + "\n" + `{"url":"http://a/0","ok":false}` + "\n"}, "-+-", ""},
		{mettleTool, map[string]string{"results.jsonl": strings.Repeat(`{"url":"http://a/1","ok":true}`+"\n", 2)}, "", "two records"},
		{mettleTool, map[string]string{"results.jsonl": `{"url":"http://b/1","ok":true}` + "\n"}, "", "was not asked for"},
		{mettleTool, map[string]string{}, "", "no such file"},
	} {
		claims, err := tc.tool.claims(saved(t, tc.files))
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s of %q: error %v, want one with %q", tc.tool.name, tc.files, err, tc.err)
			}
			continue
		}
		got := ""
		for _, c := range claims {
			sign := "-"
			if c.ok {
				sign = "+"
			}
			got += sign
		}
		if got != tc.want || err != nil {
			t.Errorf("%s of %q: %s, %v, want %s", tc.tool.name, tc.files, got, err, tc.want)
		}
	}
}

// What nobody saved still has a length.
func TestTheLoopSaysHowMuchItRead(t *testing.T) {
	j := saved(t, map[string]string{"stdout": "0 5\n2 7\n"})
	j.save = false
	claims, err := loopTool.claims(j)
	if err != nil || claims[0].check(want{5, "x"}) != nil || claims[2].check(want{6, "x"}) == nil || claims[1].ok {
		t.Errorf("%+v, %v", claims, err)
	}
}

func TestOnlyWhatIsWholeIsGood(t *testing.T) {
	j := saved(t, map[string]string{"files/0": "whole", "files/1": "who", "files/2": ""})
	w := wantOf([]byte("whole"))
	gettable := chaos.Expectation{Gettable: true, Bytes: w.bytes, SHA256: w.sum}
	for _, tc := range []struct {
		name  string
		claim claim
		truth chaos.Expectation
		want  judgment
	}{
		{"right", claim{ok: true, bytes: -1, path: j.file(0)}, gettable, judgment{good: 1}},
		{"right, and said so", claim{ok: true, sum: w.sum, path: j.file(0)}, gettable, judgment{good: 1}},
		{"another sum than said", claim{ok: true, sum: "00", path: j.file(0)}, gettable, judgment{wrong: 1, lost: 1}},
		{"a piece", claim{ok: true, path: j.file(1)}, gettable, judgment{wrong: 1, lost: 1}},
		{"nothing", claim{ok: true, path: j.file(2)}, gettable, judgment{wrong: 1, lost: 1}},
		{"no file", claim{ok: true, path: j.file(3)}, gettable, judgment{wrong: 1, lost: 1}},
		{"only the right sum", claim{ok: true, bytes: 5, sum: w.sum}, gettable, judgment{good: 1}},
		{"the right sum of another length", claim{ok: true, bytes: 6, sum: w.sum}, gettable, judgment{wrong: 1, lost: 1}},
		{"given up", claim{path: j.file(0)}, gettable, judgment{lost: 1}},
		{"given up with reason", claim{}, chaos.Expectation{}, judgment{}},
		{"an error page", claim{ok: true, path: j.file(0)}, chaos.Expectation{}, judgment{wrong: 1}},
	} {
		if got := judge([]claim{tc.claim}, []chaos.Expectation{tc.truth}); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// The list says what the server understands, and is what it is said to be: of 100 about 60 well at once, 30 later, 10 never.
func TestTheHostileList(t *testing.T) {
	urls := hostileList(1, 2000, "8080")
	again, other := hostileList(1, 2000, "8080"), hostileList(2, 2000, "8080")
	if strings.Join(urls, "\n") != strings.Join(again, "\n") || strings.Join(urls, "\n") == strings.Join(other, "\n") {
		t.Error("the seed does not decide the list")
	}
	truths, err := truthsOf(1, urls)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	var well, later, never int
	for i, u := range urls {
		if seen[u] {
			t.Errorf("%s comes twice", u)
		}
		seen[u] = true
		switch e := truths[i]; {
		case strings.Contains(u, "127.0.0.114:"):
			if e.Gettable {
				t.Errorf("%s can be had, where nobody listens", u)
			}
			never++
		case e.Status == 400 || e.Status == 404 && !strings.Contains(u, "/status/404/"):
			t.Errorf("%s: the server does not know it", u)
		case !e.Gettable:
			never++
		case e.Attempts > 1:
			later++
		default:
			well++
		}
	}
	if well < 1100 || later < 450 || never < 120 || well+later+never != len(urls) {
		t.Errorf("%d well at once, %d later, %d never", well, later, never)
	}
}
