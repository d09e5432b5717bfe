package mettlehttp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
)

func TestStatuses(t *testing.T) {
	again := map[int]bool{
		408: true, 421: true, 425: true, 429: true, 500: true, 502: true, 503: true, 504: true,
		520: true, 521: true, 522: true, 523: true, 524: true, 530: true,
	}
	for status := 200; status < 600; status++ {
		if status == 304 || status/100 == 3 {
			continue // a client follows some of them
		}
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(status)
				fmt.Fprint(w, "answer ", n)
			})
			c, _ := client(t, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce, Budget: retry.Unlimited}, Host: none})
			resp, body, err := get(t, t.Context(), c, s.URL)
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			if again[status] {
				want = 3
			}
			wantRequests(t, s, want)
			if resp.StatusCode != status {
				t.Errorf("status %d, want %d", resp.StatusCode, status)
			}
			if wanted := fmt.Sprint("answer ", want); body != wanted && status != 204 && status != 205 {
				t.Errorf("body %q, want that of the last attempt, %q", body, wanted)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	tests := []struct {
		method string
		header string
		again  bool
	}{
		{"GET", "", true}, {"HEAD", "", true}, {"OPTIONS", "", true}, {"TRACE", "", true}, {"PUT", "", true}, {"DELETE", "", true},
		{"POST", "", false}, {"PATCH", "", false}, {"QUERY", "", false}, {"get", "", false},
		{"POST", "Idempotency-Key", true}, {"PATCH", "X-Idempotency-Key", true},
	}
	for _, tt := range tests {
		for _, how := range []string{"status", "reset"} {
			t.Run(tt.method+tt.header+" "+how, func(t *testing.T) {
				s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
					if n > 2 {
						return
					}
					if how == "status" {
						w.WriteHeader(503)
						return
					}
					hangUp(w)
				})
				c, _ := client(t, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce, Budget: retry.Unlimited}})
				req, _ := http.NewRequest(tt.method, s.URL, nil)
				if tt.header != "" {
					req.Header.Set(tt.header, "7")
				}
				resp, err := c.Do(req)
				if resp != nil {
					resp.Body.Close()
				}
				if !tt.again {
					wantRequests(t, s, 1)
					if how == "status" && (err != nil || resp.StatusCode != 503) {
						t.Errorf("%v %v, want the response", resp, err)
					}
					if how == "reset" && !errors.Is(err, io.EOF) {
						t.Errorf("error %v, want EOF", err)
					}
					return
				}
				wantRequests(t, s, 3)
				if err != nil || resp.StatusCode != 200 {
					t.Errorf("%v %v, want 200", resp, err)
				}
			})
		}
	}
}

// hangUp ends the connection without an answer, and such that net/http does not repeat the request by itself.
func hangUp(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	conn.Close()
}

// A POST that no server has seen may be sent again; one that it may have seen is not.
func TestUnsentPostIsRetried(t *testing.T) {
	s := serve(t, func(int, http.ResponseWriter, *http.Request) {})
	dials := 0
	base := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials++; dials < 3 {
			return nil, syscall.ECONNREFUSED // bare, as a dialer of one's own may return it
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer base.CloseIdleConnections()
	tr := mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})
	for _, body := range []io.Reader{nil, strings.NewReader("seven"), io.MultiReader(strings.NewReader("seven"))} {
		dials = 0
		base.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Post(s.URL, "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if dials != 3 {
			t.Errorf("%d dials, want 3", dials)
		}
		if last := s.requests()[len(s.requests())-1]; body != nil && last.body != "seven" {
			t.Errorf("the server got the body %q", last.body)
		}
	}
	wantRequests(t, s, 3)
}

// A base that tells nothing of connections may have sent the request, whatever its error is.
func TestPostOfUnknownFateIsNotRetried(t *testing.T) {
	calls := 0
	base := roundTripper(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, syscall.ECONNREFUSED
	})
	tr := mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})
	_, err := (&http.Client{Transport: tr}).Post("http://a.test/", "", nil)
	if !errors.Is(err, syscall.ECONNREFUSED) || calls != 1 {
		t.Errorf("%d calls and error %v, want 1 and ECONNREFUSED", calls, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("x")),
	}
}

func TestProcessedOrNot(t *testing.T) {
	tests := []struct {
		err   error
		again bool
	}{
		{errors.New("stream error: stream ID 5; REFUSED_STREAM; received from peer"), true},
		{errors.New("stream error: stream ID 5; INTERNAL_ERROR; REFUSED_STREAM"), false},
		{errors.New("stream error: stream ID 5; CANCEL"), false},
		{errors.New("http2: Transport received Server's graceful shutdown GOAWAY"), true},
		{errors.New("http2: Transport received GOAWAY from server ErrCode:ENHANCE_YOUR_CALM"), true},
		{errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug="; REFUSED_STREAM"`), false},
		{errors.New("http2: Transport: cannot retry err [stream error: stream ID 3; REFUSED_STREAM] after Request.Body was written"), true},
		{fmt.Errorf("tracing: %w", errors.New("http2: client conn not usable")), true},
		{noCachedConn{}, true},
		{errors.New("REFUSED_STREAM"), false},
		{io.EOF, false},
	}
	for _, tt := range tests {
		t.Run(tt.err.Error(), func(t *testing.T) {
			calls := 0
			tr := mettlehttp.NewTransport(roundTripper(func(*http.Request) (*http.Response, error) {
				if calls++; calls > 1 {
					return answer(200), nil
				}
				return nil, tt.err
			}), mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})
			resp, err := (&http.Client{Transport: tr}).Post("http://a.test/", "", bytes.NewReader([]byte("x")))
			if again := err == nil; again != tt.again {
				t.Errorf("response %v and error %v after %d calls", resp, err, calls)
			}
		})
	}
}

type noCachedConn struct{}

func (noCachedConn) Error() string             { return "no cached connection" }
func (noCachedConn) IsHTTP2NoCachedConnError() {}

// Errors that no further attempt can mend end the call at once, with the error as it is.
func TestHopelessErrors(t *testing.T) {
	for _, url := range []string{"gopher://a.test/", "http:///nohost"} {
		var rec mettletest.Recorder
		c, tr := client(t, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}, Observer: rec.Observe})
		_, _, err := get(t, t.Context(), c, url)
		if err == nil || len(rec.Events()) != 0 {
			t.Errorf("%s: error %v, events %v", url, err, rec.Events())
		}
		if _, ok := errors.AsType[*retry.ExhaustedError](err); ok {
			t.Errorf("%s: %v has a history", url, err)
		}
		for host, p := range tr.Hosts() {
			if d := p.(*mettle.Stack).Policies()[1].(mettle.Describer).Describe(); d.State != "closed" {
				t.Errorf("%s: %+v", host, d)
			}
		}
	}
}

// When the last attempt brought an error, the error has the history.
func TestHistory(t *testing.T) {
	s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(502)
			return
		}
		hangUp(w)
	})
	c, _ := client(t, mettlehttp.Config{Name: "shop", Retry: retry.Config{Backoff: atOnce}})
	_, _, err := get(t, t.Context(), c, s.URL)
	ex, ok := errors.AsType[*retry.ExhaustedError](err)
	if !ok || len(ex.Attempts) != 3 || ex.Reason != retry.ErrAttempts || ex.Name != "shop" {
		t.Fatalf("error %v", err)
	}
	status, ok := ex.Attempts[0].Err.(*mettlehttp.StatusError)
	if !ok || status.Code != 502 || status.Error() != "status 502 Bad Gateway" {
		t.Errorf("first attempt %v", ex.Attempts[0].Err)
	}
	if !errors.Is(ex.Attempts[2].Err, io.EOF) || errors.Is(err, mettle.ErrRejected) {
		t.Errorf("last attempt %v", ex.Attempts[2].Err)
	}
}

// A Transport does not change the request, and the response belongs to that very request.
func TestRequestIsLeftAlone(t *testing.T) {
	s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(map[bool]int{true: 503, false: 200}[n == 1])
	})
	_, tr := client(t, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})
	req, _ := http.NewRequest("PUT", s.URL, io.NopCloser(strings.NewReader("x")))
	req.Header.Set("A", "b")
	before := *req
	header := fmt.Sprint(req.Header)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.Request != req {
		t.Error("the response is of another request")
	}
	if req.Body != before.Body || req.Context() != before.Context() || req.GetBody != nil || fmt.Sprint(req.Header) != header {
		t.Errorf("request changed to %+v", req)
	}
}

func TestClassify(t *testing.T) {
	s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader([]int{404, 500, 500}[n-1]) })
	c, _ := client(t, mettlehttp.Config{
		Retry: retry.Config{Backoff: atOnce},
		Classify: func(resp *http.Response, err error) mettle.Verdict {
			switch {
			case resp != nil && resp.StatusCode == 404:
				return mettle.Failure // a store that needs its time to know
			case resp != nil && resp.StatusCode == 500:
				return mettle.Success
			}
			return mettlehttp.Classify(resp, err)
		},
	})
	resp, _, err := get(t, t.Context(), c, s.URL)
	if err != nil || resp.StatusCode != 500 {
		t.Errorf("%v %v, want 500", resp, err)
	}
	wantRequests(t, s, 2)
}

// A rule for a kind of error does not bring a request to be sent again that must not be.
func TestRulesDoNotRepeatPosts(t *testing.T) {
	s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	unavailable := func(err error) bool {
		s, ok := errors.AsType[*mettlehttp.StatusError](err)
		return ok && s.Code == 503
	}
	c, _ := client(t, mettlehttp.Config{Host: none, Retry: retry.Config{
		Budget: retry.Unlimited, Rules: []retry.Rule{{If: unavailable, Attempts: 5, Backoff: atOnce}},
	}})
	resp, err := c.Post(s.URL, "", nil)
	if err != nil || resp.StatusCode != 503 {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	wantRequests(t, s, 1)
	if _, _, err := get(t, t.Context(), c, s.URL); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, s, 6)
}
