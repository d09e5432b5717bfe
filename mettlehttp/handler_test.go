package mettlehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// through serves one request in memory and returns its answer.
func through(h http.Handler, ctx context.Context) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/x", nil))
	return w.Result()
}

func TestRejectionsOfAHandler(t *testing.T) {
	after := func(d time.Duration) func() (time.Duration, bool) {
		return func() (time.Duration, bool) { return d, true }
	}
	unknown := func() (time.Duration, bool) { return time.Hour, false }
	tests := []struct {
		reason error
		after  func() (time.Duration, bool)
		status int
		header string
	}{
		{ratelimit.ErrLimited, after(1001 * time.Millisecond), 429, "2"},
		{ratelimit.ErrLimited, nil, 429, ""},
		{breaker.ErrOpen, after(3 * time.Second), 503, "3"},
		{breaker.ErrOpen, unknown, 503, ""},
		{bulkhead.ErrFull, after(0), 503, "1"},
		{bulkhead.ErrWait, after(-time.Second), 503, "1"},
		{bulkhead.ErrWait, after(1<<63 - 1), 503, "9223372037"},
	}
	for _, tt := range tests {
		p := mettle.PolicyFunc(func(ctxt, func(ctxt) error) error { return mettle.Reject("door", "", tt.reason, tt.after) })
		resp := through(mettlehttp.Handler(p, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })), t.Context())
		if resp.StatusCode != tt.status || resp.Header.Get("Retry-After") != tt.header {
			t.Errorf("%v: %d, Retry-After %q, want %d and %q", tt.reason, resp.StatusCode, resp.Header.Get("Retry-After"), tt.status, tt.header)
		}
	}
}

// The real policies, in virtual time.
func TestHandlerUnderALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := ratelimit.New(ratelimit.Config{Rate: 1, Per: 90 * time.Second, Burst: 1})
		h := mettlehttp.Handler(l, http.NotFoundHandler())
		if resp := through(h, t.Context()); resp.StatusCode != 404 {
			t.Errorf("%d, want what the handler says", resp.StatusCode)
		}
		time.Sleep(30*time.Second + 1)
		if resp := through(h, t.Context()); resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "60" {
			t.Errorf("%d, Retry-After %q, want 429 and 60", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
}

func TestWhatThePolicyHearsOfAHandler(t *testing.T) {
	bored := errors.New("bored")
	tests := []struct {
		name   string
		serve  http.HandlerFunc
		want   string
		status int
	}{
		{"nothing", func(http.ResponseWriter, *http.Request) {}, "<nil>", 200},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "<nil>", 404},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "status 500 Internal Server Error", 500},
		{"599", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(599) }, "status 599", 599},
		{"500 too late", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x"); w.WriteHeader(500) }, "<nil>", 200},
		{"500 after hints", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(500) }, "status 500 Internal Server Error", 103}, // the recorder takes the first
		{"500 after a copy", func(w http.ResponseWriter, _ *http.Request) {
			io.Copy(w, struct{ io.Reader }{strings.NewReader("x")})
			w.WriteHeader(500)
		}, "<nil>", 200},
		{"500 after a flush", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.WriteHeader(500) }, "<nil>", 200},
		{"no answer in time", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "bored", 503},
		{"an answer after the end", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done(); w.WriteHeader(404) }, "<nil>", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			p := mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
				ctx, cancel := context.WithCancelCause(ctx)
				if strings.Contains(tt.name, "time") || strings.Contains(tt.name, "end") {
					cancel(bored)
				}
				err := fn(ctx)
				cancel(nil)
				got = fmt.Sprint(err)
				return err
			})
			resp := through(mettlehttp.Handler(p, tt.serve), t.Context())
			if got != tt.want || resp.StatusCode != tt.status {
				t.Errorf("%s with %d, want %s with %d", got, resp.StatusCode, tt.want, tt.status)
			}
		})
	}
}

// The handler sees the request that came in, also by identity where the policy hands the context on.
func TestRequestOfAHandler(t *testing.T) {
	gate := bulkhead.New(bulkhead.Config{Limit: 1})
	for _, p := range []mettle.Policy{gate, timeout.After(time.Hour), mettle.Compose(gate, timeout.After(time.Hour))} {
		r := httptest.NewRequest("POST", "/x?y=z", strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nv\r\n--b--\r\n"))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		r = r.WithContext(context.WithValue(r.Context(), key{}, "mine"))
		ran := false
		mettlehttp.Handler(p, http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) {
			ran = true
			if p == gate && in != r {
				t.Error("the request is another one")
			}
			_, limited := in.Context().Deadline()
			if in.Context().Value(key{}) != "mine" || in.URL != r.URL || limited == (p == gate) {
				t.Errorf("request %+v", in)
			}
			if in.FormValue("f") != "v" {
				t.Errorf("form %v", in.Form)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
		if !ran || r.MultipartForm == nil {
			t.Errorf("ran: %v, form %v: the server would not find the form's files", ran, r.MultipartForm)
		}
	}
	// A context that cannot be compared.
	odd := struct {
		context.Context
		_ []int
	}{Context: t.Context()}
	if resp := through(mettlehttp.Handler(gate, http.NotFoundHandler()), odd); resp.StatusCode != 404 {
		t.Errorf("%d", resp.StatusCode)
	}
}

// Panics reach the server, and places come back.
func TestHandlerPanics(t *testing.T) {
	for _, v := range []any{"boom", http.ErrAbortHandler} {
		b := bulkhead.New(bulkhead.Config{Limit: 1})
		h := mettlehttp.Handler(b, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(v) }))
		for range 3 {
			wantPanic(t, v, func() { through(h, t.Context()) })
		}
	}
}

func TestHandlerRefusesRepeats(t *testing.T) {
	again := "mettlehttp: Handler: the policy is or has a *retry.Policy, want none: a handler cannot run twice"
	twice := "mettlehttp: Handler: the policy is or has a *hedge.Policy, want none: a handler cannot run twice"
	next := http.NotFoundHandler()
	wantPanic(t, again, func() { mettlehttp.Handler(retry.New(retry.Config{}), next) })
	wantPanic(t, again, func() {
		mettlehttp.Handler(mettle.Compose(bulkhead.New(bulkhead.Config{Limit: 1}), retry.New(retry.Config{})), next)
	})
	wantPanic(t, twice, func() { mettlehttp.Handler(hedge.New(hedge.Config{Delay: 1}), next) })
	wantPanic(t, "mettlehttp: Handler: the policy is nil, want a mettle.Policy", func() { mettlehttp.Handler(nil, next) })
	wantPanic(t, "mettlehttp: Handler: the handler is nil, want an http.Handler", func() { mettlehttp.Handler(mettle.Compose(), nil) })

	// Of one that hides it, the second run does nothing.
	runs := 0
	var errs []error
	hidden := mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
		errs = append(errs, fn(ctx), fn(ctx))
		return nil
	})
	resp := through(mettlehttp.Handler(hidden, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { runs++; w.WriteHeader(202) })), t.Context())
	if runs != 1 || resp.StatusCode != 202 || errs[0] != nil || errs[1] == nil || !strings.Contains(errs[1].Error(), "twice") {
		t.Errorf("%d runs, %d, %v", runs, resp.StatusCode, errs)
	}
}

// What a server's writer can do, the handler's can: over a real connection.
func TestWriterOfAHandler(t *testing.T) {
	var did []string
	srv := httptest.NewServer(mettlehttp.Handler(bulkhead.New(bulkhead.Config{Limit: 1}), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.SetReadDeadline(time.Time{}), rc.EnableFullDuplex()); err != nil {
			t.Error(err)
		}
		if _, ok := w.(io.ReaderFrom); ok {
			did = append(did, "ReaderFrom")
		}
		if r.URL.Path == "/plain" {
			io.Copy(w, struct{ io.Reader }{strings.NewReader("copied")})
			w.(http.Flusher).Flush()
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhijacked")
		rw.Flush()
	})))
	defer srv.Close()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if _, body, err := get(t, t.Context(), c, srv.URL+"/plain"); body != "copied" || err != nil {
		t.Errorf("%q %v", body, err)
	}
	if _, body, err := get(t, t.Context(), c, srv.URL+"/hijack"); body != "hijacked" || err != nil {
		t.Errorf("%q %v", body, err)
	}
	if !slices.Equal(did, []string{"ReaderFrom", "ReaderFrom"}) {
		t.Errorf("%v", did)
	}
	// Where the server's writer cannot, Hijack says so.
	through(mettlehttp.Handler(mettle.Compose(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("Hijack of a recorder: %v", err)
		}
	})), t.Context())
}
