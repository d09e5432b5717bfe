package chaos_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/chaos"
)

// Whatever the request URI, the answer is a known fault, a page of the server itself or a 4xx that says why, and it is
// the same when asked again of a server with the same seed.
func FuzzRequestURI(f *testing.F) {
	for _, fault := range chaos.Faults() {
		f.Add(strings.TrimPrefix(fault.Example, "/"), "GET")
		f.Add(fault.Name+"?heal=0&size=10&body=x", "HEAD")
		for _, p := range fault.Params {
			name, _, _ := strings.Cut(p, "=")
			f.Add(fault.Name+"?"+name+"=1", "POST")
			f.Add(fault.Name+"/x?"+name+"=-1", "GET")
		}
	}
	f.Add("status/503?after=date:1073741824", "GET")
	f.Add("status/0503/%2F?after=99999999999999999999", "GET")
	f.Add("redirect?to=%2F%2Fb.test%2F&n=0", "GET")
	f.Add("ok?a=%zz;b&&=", "GET")
	f.Add("/a/..//ok", "OPTIONS")
	known := map[string]bool{"unknown": true, "invalid": true}
	for _, fault := range chaos.Faults() {
		known[fault.Name] = true
	}
	f.Fuzz(func(t *testing.T, uri, method string) {
		u, err := url.ParseRequestURI("/" + uri)
		if err != nil || method == "" {
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody waits for a drip
		var first *httptest.ResponseRecorder
		for range 2 {
			s := chaos.New(chaos.Config{})
			w := &capped{ResponseRecorder: httptest.NewRecorder()}
			r := (&http.Request{Method: method, URL: u, Host: "a.test", Header: http.Header{}, Body: http.NoBody}).WithContext(ctx)
			s.ServeHTTP(w, r)
			st := s.Stats()
			if chaos.OwnPage(u.Path) {
				if st.Requests != 0 || w.Code != 200 && w.Code != 400 {
					t.Fatalf("%d, Stats = %+v, want 200 or 400 and nothing counted", w.Code, st)
				}
				return
			}
			if len(st.Faults) != 1 || st.Requests != 1 {
				t.Fatalf("Stats = %+v, want one request and one fault", st)
			}
			for name := range st.Faults {
				if !known[name] {
					t.Fatalf("fault %q is not known", name)
				}
				if bad := name == "unknown" || name == "invalid"; bad && (w.Code < 400 || w.Code > 499 || !strings.HasPrefix(w.Body.String(), "chaos: ")) {
					t.Fatalf("%s: %d %q, want a 4xx that says why", name, w.Code, w.Body)
				}
			}
			if first == nil {
				first = w.ResponseRecorder
			} else if first.Code != w.Code || first.Body.String() != w.Body.String() {
				t.Fatalf("two servers of one seed: %d %q and %d %q", first.Code, first.Body, w.Code, w.Body)
			}
			if e, err := s.Expect("http://a.test/nonesuch/"+url.PathEscape(uri), 2); err != nil || e.Gettable {
				t.Fatalf("Expect of an unknown path: %+v, %v", e, err)
			}
		}
	})
}

// capped stops a large body from being kept.
type capped struct{ *httptest.ResponseRecorder }

func (c *capped) Write(p []byte) (int, error) {
	if c.Body.Len() > 64<<10 {
		return 0, io.ErrShortWrite
	}
	return c.ResponseRecorder.Write(p)
}
