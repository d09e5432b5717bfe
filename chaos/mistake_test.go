package chaos_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/chaos"
)

func TestMistakesAreNamed(t *testing.T) {
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/", 200, "/reset-body?"},
		{"/nonesuch", 404, `path "/nonesuch" is not known`},
		{"//ok", 404, "not known"},
		{"/ok?size=x", 400, `parameter "size" is "x", want BYTES`},
		{"/ok?size=-1", 400, `parameter "size" is "-1"`},
		{"/ok?size=17179869185", 400, `parameter "size"`},
		{"/ok?size=1&size=2", 400, `given 2 times`},
		{"/ok?heal=1", 400, `parameter "heal" is "1", want none of that name`},
		{"/ok?type=junk", 400, `parameter "type" is "junk"`},
		{"/ok?%zz", 400, "invalid URL escape"},
		{"/ok?a;b", 400, "invalid semicolon"},
		{"/short?size=0", 400, `want 1 or more`},
		{"/status", 400, `path element CODE is ""`},
		{"/status/200", 400, `path element CODE is "200", want 400 to 599`},
		{"/status/503?after=-3", 400, `parameter "after" is "-3"`},
		{"/status/503?after=date:", 400, `parameter "after" is "date:"`},
		{"/stall?after=1024", 400, `want less than size`},
		{"/loop?n=2&at=2", 400, `want less than n`},
		{"/hold?for=0s", 400, `parameter "for" is "0s", want DURATION`},
		{"/hold?for=2", 400, `parameter "for" is "2"`},
		{"/hold?code=500", 400, `parameter "code" is "500", want 429 | 503`},
		{"/redirect?to=https://a.test/", 400, `parameter "to"`},
		{"/redirect?code=304", 400, `parameter "code"`},
		{"/drip?pieces=0", 400, `parameter "pieces"`},
	}
	s := chaos.New(chaos.Config{})
	defer s.Close()
	for _, tt := range tests {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "http://a.test/", nil)
		path, query, _ := strings.Cut(tt.path, "?")
		r.URL.Path, r.URL.RawQuery = path, query
		s.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %q, want %d and %q", tt.path, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

// The examples of the index page are what people copy.
func TestEveryExampleIsValid(t *testing.T) {
	s := chaos.New(chaos.Config{})
	for _, f := range chaos.Faults() {
		e, err := s.Expect("http://a.test"+f.Example, 5)
		if err != nil || e.Status == 400 || e.Status == 404 {
			t.Errorf("%s: %+v, %v", f.Example, e, err)
		}
		if !strings.HasPrefix(f.Example, "/"+f.Name) || f.Doc == "" || len(f.Params) == 0 {
			t.Errorf("%+v: incomplete", f)
		}
	}
}

func TestBadConfig(t *testing.T) {
	bad := chaos.Config{Grace: -1}
	const want = "chaos: Config.Grace is -1ns, want 0 or more"
	if err := bad.Validate(); err == nil || err.Error() != want {
		t.Errorf("Validate: %v, want %s", err, want)
	}
	defer func() {
		if got := recover(); got != want {
			t.Errorf("New panicked with %v, want %s", got, want)
		}
	}()
	chaos.New(bad)
}

func TestDialWithoutListener(t *testing.T) {
	s := chaos.New(chaos.Config{})
	if _, err := s.DialContext(t.Context(), "tcp", "a.test:80"); err != chaos.ErrNotListening {
		t.Errorf("error %v, want %v", err, chaos.ErrNotListening)
	}
	if s.Addr() != "" || s.URL("/ok") != "http://chaos.test/ok" {
		t.Errorf("Addr %q, URL %q", s.Addr(), s.URL("/ok"))
	}
	s.Close()
	if err := s.Start(""); err != http.ErrServerClosed {
		t.Errorf("Start after Close: %v, want %v", err, http.ErrServerClosed)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != http.ErrServerClosed {
		t.Errorf("Serve after Close: %v, want %v", err, http.ErrServerClosed)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: %v", err)
	}
}
