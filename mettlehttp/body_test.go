package mettlehttp_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

// A counted body tells how much of it was read, and that it was closed once.
type counted struct {
	io.Reader
	read   atomic.Int64
	closed atomic.Int32
	done   chan struct{} // closed with the body
}

func count(text string) *counted {
	return &counted{Reader: strings.NewReader(text), done: make(chan struct{})}
}

func (b *counted) Read(p []byte) (int, error) {
	if b.closed.Load() > 0 {
		return 0, errors.New("read after close")
	}
	n, err := b.Reader.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *counted) Close() error {
	if b.closed.Add(1) == 1 {
		close(b.done)
	}
	return nil
}

// Every attempt gets the whole body: from GetBody, or from what was remembered.
func TestBodies(t *testing.T) {
	const max = 1000
	whole := strings.Repeat("0123456789", 300)
	tests := []struct {
		name    string
		size    int
		getBody bool
		length  bool
		again   bool
	}{
		{"GetBody", 3000, true, true, true},
		{"remembered", 500, false, true, true},
		{"remembered, of unknown length", 500, false, false, true},
		{"remembered, just", max, false, false, true},
		{"one byte too long", max + 1, false, true, false},
		{"too long", 3000, false, true, false},
		{"too long, of unknown length", 3000, false, false, false},
		{"empty, of unknown length", 0, false, false, true},
	}
	for _, tt := range tests {
		for _, how := range []string{"status", "reset"} {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				text := whole[:tt.size]
				s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
					switch {
					case n > 2:
					case how == "status":
						w.WriteHeader(503)
						io.WriteString(w, "busy")
					default:
						hangUp(w)
					}
				})
				c, _ := client(t, mettlehttp.Config{MaxBuffer: max, Retry: retry.Config{Backoff: atOnce}})
				body := count(text)
				req, _ := http.NewRequest("PUT", s.URL, body)
				if tt.length {
					req.ContentLength = int64(tt.size)
				}
				var got []*counted
				if tt.getBody {
					req.GetBody = func() (io.ReadCloser, error) {
						got = append(got, count(text))
						return got[len(got)-1], nil
					}
				}
				resp, err := c.Do(req)
				if resp != nil {
					defer resp.Body.Close()
				}
				for i, r := range s.requests() {
					if r.body != text {
						t.Errorf("request %d had a body of %d bytes, want %d", i+1, len(r.body), tt.size)
					}
				}
				for _, b := range append(got, body) {
					<-b.done // net/http may close it after its RoundTrip has returned
				}
				if n := body.closed.Load(); !tt.getBody && n != 1 {
					t.Errorf("the body was closed %d times", n)
				}
				switch {
				case tt.again:
					wantRequests(t, s, 3)
					if err != nil || resp.StatusCode != 200 {
						t.Errorf("%v %v, want 200", resp, err)
					}
				case how == "status":
					wantRequests(t, s, 1)
					if err != nil || resp.StatusCode != 503 {
						t.Fatalf("%v %v, want the response", resp, err)
					}
					if text, err := io.ReadAll(resp.Body); string(text) != "busy" {
						t.Errorf("body %q %v", text, err)
					}
				default:
					wantRequests(t, s, 1)
					if !errors.Is(err, mettlehttp.ErrBody) || !errors.Is(err, io.EOF) {
						t.Errorf("error %v, want ErrBody and EOF", err)
					}
				}
			})
		}
	}
}

// A body that is still being written is sent as it comes: nothing is read ahead.
func TestBodyIsStreamed(t *testing.T) {
	r, w := io.Pipe()
	s := newEcho(t)
	c, _ := client(t, mettlehttp.Config{})
	req, _ := http.NewRequest("PUT", s.URL, r)
	resp, err := c.Do(req) // returns before anything was written
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for range 3 {
		if _, err := w.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		var echo [4]byte
		if _, err := io.ReadFull(resp.Body, echo[:]); err != nil || string(echo[:]) != "ping" {
			t.Fatalf("echo %q %v", echo, err)
		}
	}
	w.Close()
	if rest, err := io.ReadAll(resp.Body); len(rest) != 0 || err != nil {
		t.Errorf("rest %q %v", rest, err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write after the end: %v", err)
	}
}

// The body is closed also when the request never gets as far as the base.
func TestBodyIsClosedWhenRejected(t *testing.T) {
	closed := mettle.PolicyFunc(func(_ ctxt, _ func(ctxt) error) error {
		return mettle.Reject("door", "", errors.New("closed"), nil)
	})
	tr := mettlehttp.NewTransport(nil, mettlehttp.Config{Host: func(string) mettle.Policy { return closed }})
	for _, getBody := range []bool{true, false} {
		body := count("x")
		req, _ := http.NewRequest("PUT", "http://a.test/", body)
		if getBody {
			req.GetBody = func() (io.ReadCloser, error) { t.Error("GetBody was called"); return nil, nil }
		}
		resp, err := tr.RoundTrip(req)
		if resp != nil || !errors.Is(err, mettle.ErrRejected) {
			t.Errorf("%v %v", resp, err)
		}
		if n := body.closed.Load(); n != 1 {
			t.Errorf("the body was closed %d times", n)
		}
	}
	body := count("x")
	if _, err := tr.RoundTrip(&http.Request{Method: "GET", Body: body}); err == nil || body.closed.Load() != 1 {
		t.Errorf("without a URL: %v, closed %d times", err, body.closed.Load())
	}
}

func TestGetBodyFails(t *testing.T) {
	lost := errors.New("the file is gone")
	s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503); io.WriteString(w, "busy") })
	c, _ := client(t, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})
	req, _ := http.NewRequest("PUT", s.URL, strings.NewReader("x"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, lost }
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 503 || string(text) != "busy" {
		t.Errorf("%v %q, want the answer of the only attempt", resp.Status, text)
	}
	wantRequests(t, s, 1)

	hung := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { hangUp(w) })
	req, _ = http.NewRequest("PUT", hung.URL, strings.NewReader("x"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, lost }
	_, err = c.Do(req)
	if !errors.Is(err, mettlehttp.ErrBody) || !errors.Is(err, lost) || !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

// A body that cannot be read is the request's fault: it is not sent again, and does not speak against the host.
func TestBodyThatFails(t *testing.T) {
	broken := errors.New("the disk is broken")
	s := serve(t, func(int, http.ResponseWriter, *http.Request) {})
	var verdicts []mettle.Verdict
	c, _ := client(t, mettlehttp.Config{
		Retry: retry.Config{Backoff: atOnce},
		Host: func(string) mettle.Policy {
			return mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
				err := fn(ctx)
				verdicts = append(verdicts, mettlehttp.Verdict(err))
				return err
			})
		},
	})
	req, _ := http.NewRequest("PUT", s.URL, io.MultiReader(bytes.NewReader([]byte("x")), failing{broken}))
	_, err := c.Do(req)
	if !errors.Is(err, broken) || len(verdicts) != 1 || verdicts[0] != mettle.Ignore {
		t.Errorf("error %v, verdicts %v", err, verdicts)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
