package mettlehttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

// flaky is a server whose every other answer is a failure.
func flaky() *httptest.Server {
	n := 0
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "hello")
	}))
}

func ExampleNewTransport() {
	srv := flaky()
	defer srv.Close()

	client := &http.Client{
		Transport: mettlehttp.NewTransport(nil, mettlehttp.Config{}),
		Timeout:   10 * time.Second, // of the whole, retries included
	}
	resp, err := client.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body), err)
	// Output: 200 OK hello <nil>
}

// Each host has a stack of its own: a breaker, and not more than 20 requests at a time.
func ExampleConfig_host() {
	srv := flaky()
	defer srv.Close()

	tr := mettlehttp.NewTransport(nil, mettlehttp.Config{
		Timeout: 5 * time.Second, // each attempt, until its headers
		Retry:   retry.Config{Attempts: 4, Backoff: retry.Constant(10 * time.Millisecond)},
		Host: func(host string) mettle.Policy {
			return mettle.Compose(
				breaker.New(breaker.Config{Name: host, Classify: mettlehttp.Verdict}),
				bulkhead.New(bulkhead.Config{Name: host, Limit: 20, Queue: 100}),
			)
		},
	})
	client := &http.Client{Transport: tr}
	resp, err := client.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	for _, stack := range tr.Hosts() {
		for _, p := range stack.(*mettle.Stack).Policies() {
			d := p.(mettle.Describer).Describe()
			fmt.Printf("%s %q\n", d.Kind, d.State)
		}
	}
	// Output:
	// 200 OK
	// hold ""
	// breaker "closed"
	// bulkhead ""
	// timeout ""
}

// What counts as a failure can be added to: this server says 200 and an error in a header.
func ExampleClassify() {
	tr := mettlehttp.NewTransport(nil, mettlehttp.Config{
		Classify: func(resp *http.Response, err error) mettle.Verdict {
			if err == nil && resp.Header.Get("X-Error") != "" {
				return mettle.Failure
			}
			return mettlehttp.Classify(resp, err)
		},
	})
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n++; n == 1 {
			w.Header().Set("X-Error", "no quorum")
		}
	}))
	defer srv.Close()

	resp, err := (&http.Client{Transport: tr}).Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, "after", n, "requests")
	// Output: 200 OK after 2 requests
}
