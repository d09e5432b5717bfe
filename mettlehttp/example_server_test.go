package mettlehttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/timeout"
)

// A server that takes on what it can do, and tells the others when to come back.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "done")
	})
	srv := httptest.NewServer(mettlehttp.Handler(mettle.Compose(
		ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Minute, Burst: 1}),
		bulkhead.New(bulkhead.Config{Limit: 50, Queue: 100, MaxWait: time.Second}),
		timeout.After(10*time.Second), // what r.Context() allows
	), mux))
	defer srv.Close()

	for range 2 {
		resp, err := http.Get(srv.URL + "/report")
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Printf("%s %q\n", resp.Status, resp.Header.Get("Retry-After"))
	}
	// Output:
	// 200 OK ""
	// 429 Too Many Requests "60"
}

// A reverse proxy that survives a failing answer of the server behind it.
func ExampleNewTransport_reverseProxy() {
	backend := flaky()
	defer backend.Close()
	target, err := url.Parse(backend.URL)
	if err != nil {
		fmt.Println(err)
		return
	}

	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: mettlehttp.NewTransport(nil, mettlehttp.Config{Timeout: 30 * time.Second}),
	})
	defer proxy.Close()

	resp, err := http.Get(proxy.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}
