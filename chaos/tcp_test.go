package chaos_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/mettle-go/mettle/chaos"
)

func onTCP(t *testing.T) (*chaos.Server, *http.Client) {
	t.Helper()
	s := chaos.New(chaos.Config{})
	if err := s.Start(""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := &http.Client{Transport: &http.Transport{DialContext: s.DialContext, DisableKeepAlives: true}}
	return s, c
}

func TestTCPClientSees(t *testing.T) {
	s, c := onTCP(t)
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") || s.URL("/ok") != "http://"+s.Addr()+"/ok" {
		t.Fatalf("Addr %q, URL %q", s.Addr(), s.URL("/ok"))
	}
	for _, tt := range []struct {
		path   string
		want   error
		noHead bool
	}{
		{"/reset", syscall.ECONNRESET, true},
		{"/reset-body", syscall.ECONNRESET, false},
		{"/short", io.ErrUnexpectedEOF, false},
		{"/cut-chunk", io.ErrUnexpectedEOF, false},
	} {
		r := get(c, s.URL(tt.path))
		if !errors.Is(r.err, tt.want) || r.noHead != tt.noHead || len(r.body) > 768 {
			t.Errorf("%s: %d bytes, %v (before the headers: %v), want %v", tt.path, len(r.body), r.err, r.noHead, tt.want)
		}
	}
	for _, path := range []string{"/ok?size=300000", "/drip?for=10ms", "/redirect?n=2", "/slow-headers?for=1ms", "/idle-close?when=now"} {
		checkGood(t, s, s.URL(path), 1, get(c, s.URL(path)))
		checkGood(t, s, "http://other.test"+path, 1, get(c, "http://other.test"+path))
	}
}

// A client that leaves ends the answer, whatever it was waiting for.
func TestTCPClientLeaves(t *testing.T) {
	s := chaos.New(chaos.Config{})
	entered, ended := make(chan bool), make(chan bool)
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- true }()
		entered <- true
		s.ServeHTTP(w, r)
	}))
	defer host.Close()
	for _, path := range []string{"/slow-headers", "/stall", "/endless", "/drip?for=1h"} {
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "GET", host.URL+path, nil)
		left := make(chan error)
		go func() {
			res, err := host.Client().Do(req)
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
			left <- err
		}()
		<-entered
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: the client got %v, want its own cancellation", path, err)
		}
		<-ended // hangs, and so fails, if the answer goes on
	}
	if h := s.Stats().Hosts[strings.TrimPrefix(host.URL, "http://")]; h.Active != 0 || h.Requests != 4 {
		t.Errorf("%+v, want 4 requests and none in service", h)
	}
}

// In a server that is not its own, over HTTP/1, everything works; Close ends what waits.
func TestMountedInAnotherServer(t *testing.T) {
	s := chaos.New(chaos.Config{})
	entered := make(chan bool, 10)
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- true
		s.ServeHTTP(w, r)
	}))
	defer host.Close()
	c := host.Client()
	if r := get(c, host.URL+"/reset"); !errors.Is(r.err, syscall.ECONNRESET) {
		t.Errorf("/reset: %v", r.err)
	}
	checkGood(t, s, host.URL+"/ok", 1, get(c, host.URL+"/ok"))
	checkGood(t, s, host.URL+"/idle-close", 1, get(c, host.URL+"/idle-close"))
	for range 3 {
		<-entered
	}
	done := make(chan reply)
	go func() { done <- get(c, host.URL+"/slow-headers") }()
	<-entered
	s.Close()
	if r := <-done; r.err == nil {
		t.Errorf("Close ended the silence with %d, want no answer", r.status)
	}
	if r := get(c, host.URL+"/ok"); !errors.Is(r.err, io.EOF) {
		t.Errorf("after Close: %d, %v, want the server to hang up", r.status, r.err)
	}
}

// Without a connection to hijack, the faults that need one say so instead of doing something else.
func TestWithoutHijacking(t *testing.T) {
	s := chaos.New(chaos.Config{})
	for path, want := range map[string]int{
		"/ok": 200, "/status/503": 503, "/redirect": 302, "/hold": 429, "/reset": 501, "/short": 501, "/cut-chunk": 501,
		"/stall": 501, "/slow-headers?for=1s": 501, "/endless": 501, "/idle-close": 501, "/drip": 501,
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://"+strings.Trim(path[:3], "/")+".test"+path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
