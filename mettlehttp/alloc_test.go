package mettlehttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/mettlehttp"
)

// A request that succeeds at once allocates at most 7 or 8 times more than with the bare client, on a connection that is kept.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	defer srv.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	measure := func(rt http.RoundTripper, method, text string) float64 {
		c := &http.Client{Transport: rt}
		return testing.AllocsPerRun(300, func() {
			var body io.Reader
			if text != "" {
				body = strings.NewReader(text)
			}
			req, err := http.NewRequestWithContext(ctx, method, srv.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	tr := mettlehttp.NewTransport(base, mettlehttp.Config{})
	for _, tc := range []struct {
		method, body string
		budget       float64
	}{{"GET", "", 7}, {"POST", "", 8}, {"PUT", "a body", 8}, {"POST", "a body", 8}} {
		bare, ours := measure(base, tc.method, tc.body), measure(tr, tc.method, tc.body)
		t.Logf("%s %q: bare %v, ours %v", tc.method, tc.body, bare, ours)
		if ours-bare > tc.budget {
			t.Errorf("%s %q: %v allocations more than the bare client's %v, want %v at most", tc.method, tc.body, ours-bare, bare, tc.budget)
		}
	}
}

func TestHandlerAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	h := mettlehttp.Handler(bulkhead.New(bulkhead.Config{Limit: 1}), next)
	w, r := nowhere{http.Header{}}, httptest.NewRequest("GET", "/", nil)
	if n := testing.AllocsPerRun(300, func() { h.ServeHTTP(w, r) }); n > 3 {
		t.Errorf("%v allocations, want 3 at most", n)
	}
}

// nowhere is a ResponseWriter that allocates nothing.
type nowhere struct{ header http.Header }

func (w nowhere) Header() http.Header         { return w.header }
func (w nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w nowhere) WriteHeader(int)             {}
