package chaos_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

func TestClientWaitsForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := chaos.New(chaos.Config{Seed: 1})
		defer srv.Close()
		srv.StartPipe()
		base := &http.Transport{DialContext: srv.DialContext} // every host is this server
		defer base.CloseIdleConnections()
		client := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{MaxHint: 2 * time.Hour}})}

		url := "http://a.test/hold?for=1h&size=4096"
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		want, _ := srv.Expect(url, 2)
		if got := fmt.Sprintf("%x", sha256.Sum256(body)); err != nil || got != want.SHA256 {
			t.Errorf("body %s, %v; want %s", got, err, want.SHA256)
		}
		if st := srv.Stats(); st.Requests != 2 || st.Violations != 0 {
			t.Errorf("%d requests, %d violations, want 2 and none", st.Requests, st.Violations)
		}
	})
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPaperShowsTheTest(t *testing.T) {
	_, shown, _ := strings.Cut(read(t, "../docs/chaos.md"), "```go\n")
	shown, _, ok := strings.Cut(shown, "```")
	if !ok || !strings.Contains(read(t, "paper_test.go"), shown) {
		t.Errorf("docs/chaos.md shows what paper_test.go has not:\n%s", shown)
	}
}

// The paper lists the paths of the server and each of their parameters, no more and no less.
func TestPaperListsTheTable(t *testing.T) {
	paper := read(t, "../docs/chaos.md")
	var listed, known []string
	for _, m := range regexp.MustCompile("(?m)^\\| `/([a-z-]+)").FindAllStringSubmatch(paper, -1) {
		listed = append(listed, m[1])
	}
	params := make(map[string]bool)
	for _, f := range chaos.Faults() {
		known = append(known, f.Name)
		for _, p := range f.Params {
			name, _, _ := strings.Cut(p, "=")
			params[name] = true
		}
	}
	if !slices.Equal(listed, known) {
		t.Errorf("docs/chaos.md lists %v, the server knows %v", listed, known)
	}
	delete(params, "at") // /loop alone makes it
	for name := range params {
		if !regexp.MustCompile("[`?&]" + name + "=").MatchString(paper) {
			t.Errorf("docs/chaos.md lacks the parameter %s=", name)
		}
	}
}

// Each path that the paper names anywhere does what it says there: none is unknown, none has a mistake in it.
func TestPathsOfThePaperAreValid(t *testing.T) {
	s := chaos.New(chaos.Config{})
	paths := regexp.MustCompile("[`\"z](/[a-z-]+(?:/[0-9]+)?(?:\\?[a-z0-9=&]+)?)[`\"]").FindAllStringSubmatch(read(t, "../docs/chaos.md"), -1)
	if len(paths) < 20 {
		t.Errorf("the paper has %d paths: %v", len(paths), paths)
	}
	for _, m := range paths {
		if m[1] == "/stats" || m[1] == "/expect" {
			continue
		}
		e, err := s.Expect("http://a.test"+m[1], 1)
		if err != nil || e.Status == 400 || e.Status == 404 {
			t.Errorf("%s: %+v, %v", m[1], e, err)
		}
	}
}

// What /stats and /expect answer is named in the paper, field by field.
func TestPaperNamesTheFields(t *testing.T) {
	paper := read(t, "../docs/chaos.md")
	s := chaos.New(chaos.Config{})
	ask(s, "/ok", "")
	for _, uri := range []string{"/stats", "/expect?url=/ok"} {
		fields := regexp.MustCompile(`(?m)^ +"([a-z][a-z0-9_]*)":`).FindAllStringSubmatch(ask(s, uri, "").Body.String(), -1)
		for _, m := range fields {
			if m[1] != "ok" && !strings.Contains(paper, "`"+m[1]+"`") {
				t.Errorf("docs/chaos.md does not name %s of %s", m[1], uri)
			}
		}
		if len(fields) < 6 {
			t.Errorf("%s has the fields %v", uri, fields)
		}
	}
}
