package mettlehttp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

// at once is the backoff of tests that do not look at waits.
var atOnce = retry.Constant(0)

// none is the host policy of tests that do not look at breakers.
func none(string) mettle.Policy { return mettle.Compose() }

// A request is what a server saw of one.
type request struct {
	method, path, body string
}

// A server answers on loopback, and notes what it was asked.
type server struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

// serve starts a server whose nth request, from 1, is answered by answer after its body has been read.
func serve(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, request{r.Method, r.URL.Path, string(body)})
		n := len(s.seen)
		s.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.seen...)
}

// client returns a client through a new transport over one of its own, so that tests share no connections.
func client(t *testing.T, c mettlehttp.Config) (*http.Client, *mettlehttp.Transport) {
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	tr := mettlehttp.NewTransport(base, c)
	return &http.Client{Transport: tr}, tr
}

// inMemory runs f in a synctest bubble, with a server in memory in which h answers whatever host is asked.
func inMemory(t *testing.T, h http.Handler, f func(t *testing.T, base *http.Transport)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pipe := chaos.NewPipe()
		var serving atomic.Int32
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			serving.Add(1)
			defer serving.Add(-1)
			h.ServeHTTP(w, r)
		})}
		ended := make(chan struct{})
		go func() { srv.Serve(pipe); close(ended) }()
		base := &http.Transport{DialContext: pipe.DialContext}
		f(t, base)
		base.CloseIdleConnections()
		srv.Close()
		<-ended
		for synctest.Wait(); serving.Load() > 0; synctest.Wait() {
			time.Sleep(time.Second) // Close does not wait for handlers
		}
	})
}

// newEcho starts a server that answers at once, and then with what it reads while it reads it.
func newEcho(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		rc.Flush()
		buf := make([]byte, 512)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			rc.Flush()
			if err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// ctxt keeps the signatures of policies short.
type ctxt = context.Context

func get(t *testing.T, ctx context.Context, c *http.Client, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func wantRequests(t *testing.T, s *server, n int) {
	t.Helper()
	if got := len(s.requests()); got != n {
		t.Errorf("the server saw %d requests, want %d", got, n)
	}
}

// since returns the time since begin, to the second: of a bubble.
func since(begin time.Time) time.Duration { return time.Since(begin).Truncate(time.Second) }
