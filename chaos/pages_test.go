package chaos_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/chaos"
)

// ask is a request of a browser, or with no Accept one of curl.
func ask(s *chaos.Server, uri, accept string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", uri, nil)
	r.Host = "a.test"
	r.Header.Set("Accept", accept)
	s.ServeHTTP(w, r)
	return w
}

const browser = "text/html,application/xhtml+xml,*/*;q=0.8"

func TestIndexShowsAllThereIs(t *testing.T) {
	s := chaos.New(chaos.Config{Seed: 7})
	page, text := ask(s, "/", browser), ask(s, "/", "*/*")
	if got := page.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("a browser gets %s", got)
	}
	if got := text.Header().Get("Content-Type"); got != "text/plain; charset=utf-8" {
		t.Errorf("curl gets %s", got)
	}
	for _, f := range chaos.Faults() {
		link := html.EscapeString(f.Example)
		if !strings.Contains(page.Body.String(), `<a href="`+link+`">`+link+"</a>") {
			t.Errorf("the page has no link to %s", f.Example)
		}
		section := page.Body.String()
		if _, after, ok := strings.Cut(section, `<section id="`+f.Name+`">`); ok {
			section, _, _ = strings.Cut(after, "</section>")
		}
		for _, p := range f.Params {
			name, _, _ := strings.Cut(p, "=")
			inAll := strings.Count(page.Body.String(), "<dt>"+name+"=")
			if inOwn := strings.Count(section, "<dt>"+name+"="); inAll == 0 || inOwn > 1 {
				t.Errorf("%s is listed %d times at %s and %d times in all", name, inOwn, f.Name, inAll)
			}
			if !strings.Contains(text.Body.String(), "      "+p+"\n") {
				t.Errorf("the text lacks %s of %s", p, f.Name)
			}
		}
	}
	if n := strings.Count(page.Body.String(), "<dt>heal="); n != 1 {
		t.Errorf("what every path takes is listed %d times, want once", n)
	}
	for _, bad := range []string{"<script", "src=", "http://", "https://", "%!", "@import"} {
		if strings.Contains(page.Body.String(), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, want := range []string{"Seed 7:", "color-scheme: light dark", "Nobody has asked"} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestIndexShowsWhatWasServed(t *testing.T) {
	s := chaos.New(chaos.Config{})
	for range 1234 {
		ask(s, "/status/503", "")
	}
	r := httptest.NewRequest("GET", "/ok", nil)
	r.Host = `<img src=x onerror="alert(1)">`
	s.ServeHTTP(httptest.NewRecorder(), r)
	page := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(ask(s, "/", browser).Body.String(), " ")
	page = strings.Join(strings.Fields(page), " ")
	for _, want := range []string{
		"1,235 requests 0 violations", "answer times status 1,234 ok 1", "status times 200 1 503 1,234",
		"a.test 1,234 0 1 &lt;img src=x onerror=&#34;alert(1)&#34;&gt; 1 0 1",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

func TestStatsAsJSON(t *testing.T) {
	s := chaos.New(chaos.Config{Grace: 1})
	for _, uri := range []string{"/ok?size=3&body=x", "/status/503", "/nonesuch", "/hold?for=1h", "/ok"} {
		ask(s, uri, "")
	}
	w := ask(s, "/stats", "")
	var got chaos.Stats
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := s.Stats(); !reflect.DeepEqual(got, want) || got.Requests != 5 {
		t.Errorf("/stats is\n%+v\nwant\n%+v", got, want)
	}
	for _, want := range []string{`"a.test/ok?size=3&body=x": 1`, `"503": 1`, `"hold": 2`, `"violations": `, `"peak": 1`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("/stats lacks %s in\n%s", want, w.Body)
		}
	}
}

// A person who looks at the server, or a test that asks it, is not what it is there to catch.
func TestPagesOfTheServerAreNotCountedAndNotHeld(t *testing.T) {
	s := chaos.New(chaos.Config{Grace: 1})
	ask(s, "/hold?for=1h", "")
	before := s.Stats()
	for _, uri := range []string{"/", "/?x=1", "/stats", "/stats?x=1", "/expect?url=/ok", "/expect", "http://a.test"} {
		if w := ask(s, uri, browser); w.Code != 200 && w.Code != 400 {
			t.Errorf("%s: %d", uri, w.Code)
		}
	}
	if after := s.Stats(); !reflect.DeepEqual(before, after) {
		t.Errorf("Stats went from\n%+v to\n%+v", before, after)
	}
	// A fault at a path below one of them is still none of theirs.
	if w := ask(s, "/stats/x", ""); w.Code != 429 {
		t.Errorf("/stats/x: %d, want the hold's 429", w.Code)
	}
}

func TestExpectAsJSON(t *testing.T) {
	s := chaos.New(chaos.Config{Seed: 3})
	for _, tt := range []struct {
		url, query string
		attempts   int
	}{
		{"/short?heal=2&size=99", "&attempts=5", 5},
		{"/short?heal=2&size=99", "&attempts=2", 2},
		{"http://b.test/redirect?n=2", "", 1},
		{"/redirect?to=/", "", 1},
		{"/nonesuch", "&attempts=1000", 1000},
	} {
		w := ask(s, "/expect?url="+url.QueryEscape(tt.url)+tt.query, "")
		whole := tt.url
		if strings.HasPrefix(whole, "/") {
			whole = "http://a.test" + whole
		}
		want, err := s.Expect(whole, tt.attempts)
		var got chaos.Expectation
		if jerr := json.Unmarshal(w.Body.Bytes(), &got); jerr != nil || err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.url, got, jerr, want, err)
		}
	}
	if e, err := s.Expect("http://a.test/redirect?to=/stats", 1); err != nil || e.Status != 200 || e.Gettable {
		t.Errorf("a redirect to a page of the server: %+v, %v; want status 200, and no good body", e, err)
	}
	for uri, want := range map[string]string{
		"/expect":                         `chaos: parameter "url" is "", want a URL of this server, escaped`,
		"/expect?url=%25zz":               `chaos: parameter "url" is "%zz", want a URL of this server, escaped`,
		"/expect?url=ftp://a.test/":       `chaos: url "ftp://a.test/" has the scheme "ftp", want http`,
		"/expect?url=/ok&attempts=0":      `chaos: parameter "attempts" is "0", want 1 to 1000`,
		"/expect?url=/ok&attempts=":       `chaos: parameter "attempts" is "", want 1 to 1000`,
		"/expect?url=/short&heal=1":       `chaos: parameter "heal" is "1", want none of that name; is the URL escaped?`,
		"/expect?url=/ok&url=/short":      `chaos: parameter "url" is given 2 times, want once`,
		"/stats?url=/ok":                  `chaos: parameter "url" is "/ok", want none of that name`,
		"/expect?url=/ok;attempts=%zz%zz": `chaos: query is`,
	} {
		if w := ask(s, uri, ""); w.Code != 400 || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %d %q, want %q", uri, w.Code, w.Body, want)
		}
	}
}

func TestPagesEndWithTheServer(t *testing.T) {
	s := chaos.New(chaos.Config{})
	s.Close()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("panic %v, want that of a hang-up", p)
		}
	}()
	ask(s, "/stats", "")
}
