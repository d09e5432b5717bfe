package mettlehttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

// Redirects are the client's: each request of the chain is retried for itself, and the body of a 307 is sent again.
func TestRedirects(t *testing.T) {
	seen := map[string]int{}
	s := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		key := r.Method + " " + r.URL.Path
		if seen[key]++; seen[key] == 1 {
			w.WriteHeader(503)
			return
		}
		switch r.URL.Path {
		case "/a":
			http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
		case "/b":
			http.Redirect(w, r, "/c", http.StatusSeeOther)
		default:
			fmt.Fprint(w, "here")
		}
	})
	c, _ := client(t, mettlehttp.Config{Host: none, Retry: retry.Config{Backoff: atOnce}})
	req, _ := http.NewRequest("PUT", s.URL+"/a", strings.NewReader("body"))
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "here" || err != nil || resp.Request.URL.Path != "/c" {
		t.Errorf("%q %v of %v", body, err, resp.Request.URL)
	}
	want := []request{
		{"PUT", "/a", "body"}, {"PUT", "/a", "body"}, {"PUT", "/b", "body"}, {"PUT", "/b", "body"}, {"GET", "/c", ""}, {"GET", "/c", ""},
	}
	if got := s.requests(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the server saw %v, want %v", got, want)
	}
}

// An answer is whole, with its trailer, also after one whose body was too long to be read to its end.
func TestAnswersAreWhole(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	s := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n%2 == 1 {
			w.WriteHeader(502)
			w.Write(big) // more than is read of it
			return
		}
		w.Header().Set("Trailer", "X-End")
		w.Write(big)
		w.Header().Set("X-End", "yes")
	})
	c, _ := client(t, mettlehttp.Config{Host: none, Retry: retry.Config{Backoff: atOnce, Budget: retry.Unlimited}})
	for range 10 {
		resp, body, err := get(t, t.Context(), c, s.URL)
		if err != nil || body != string(big) || resp.Trailer.Get("X-End") != "yes" {
			t.Fatalf("%d bytes, %v, trailer %v", len(body), err, resp.Trailer)
		}
	}
	wantRequests(t, s, 20)
}

// A reverse proxy streams both ways through a Transport, repeats what it may, and hands on the status when that does not help.
func TestReverseProxy(t *testing.T) {
	n := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/flaky", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if n++; n == 1 {
			w.WriteHeader(503)
			return
		}
		w.Write(body)
	})
	mux.HandleFunc("/down", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Why", "night")
		w.WriteHeader(502)
		io.WriteString(w, "down for the night")
	})
	seen := make(chan struct{})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
		http.NewResponseController(w).Flush()
		<-seen
		io.WriteString(w, ", seen")
	})
	backend := httptest.NewServer(mux)
	defer backend.Close()
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, tr := client(t, mettlehttp.Config{Host: none, Timeout: 30 * time.Second, Retry: retry.Config{Backoff: atOnce, Budget: retry.Unlimited}})
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: tr, FlushInterval: -1,
	})
	defer proxy.Close()
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()

	req, _ := http.NewRequest("PUT", proxy.URL+"/flaky", strings.NewReader("once more"))
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "once more" || err != nil || n != 2 {
		t.Errorf("PUT through the proxy: %q %v after %d requests", body, err, n)
	}

	resp, text, err := get(t, t.Context(), c, proxy.URL+"/down")
	if err != nil || resp.StatusCode != 502 || text != "down for the night" || resp.Header.Get("X-Why") != "night" {
		t.Errorf("%v %q %v, want the answer as it is", resp, text, err)
	}

	// Uploads of unknown length go through, and answers come as they are made.
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, "ping ")
		io.WriteString(w, "pong")
		w.Close()
	}()
	req, _ = http.NewRequest("POST", proxy.URL+"/stream", r)
	resp, err = c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	echo := make([]byte, len("ping pong"))
	if _, err := io.ReadFull(resp.Body, echo); err != nil || string(echo) != "ping pong" {
		t.Errorf("echo %q %v", echo, err)
	}
	close(seen) // only now does the answer go on
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != ", seen" {
		t.Errorf("rest %q %v", rest, err)
	}
}
