package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// small answers every request at once with 1 KiB.
var small = roundTripper(func(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: 1024, Request: req,
		Body: io.NopCloser(strings.NewReader(kilobyte)),
	}, nil
})

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

var kilobyte = strings.Repeat("x", 1024)

// discard makes the line of each record, and drops it.
type discard struct{ ok int }

func (d *discard) Write(r *Record) error {
	if r.OK && r.Bytes == 1024 {
		d.ok++
	}
	_, err := r.Line()
	return err
}

func (d *discard) Flush() error { return nil }

// runSmall fetches n URLs of one host from small.
func runSmall(tb testing.TB, n int) {
	var list bytes.Buffer
	for i := range n {
		fmt.Fprintf(&list, "http://a.test:8080/files/%d\n", i)
	}
	var d discard
	if _, err := Run(context.Background(), Config{PerHost: 64, Transport: small}, Lines("list", &list), &d); err != nil || d.ok != n {
		tb.Fatalf("%d of %d are ok, %v", d.ok, n, err)
	}
}

// BenchmarkItem is what an item costs beside net/http's own part.
func BenchmarkItem(b *testing.B) {
	b.ReportAllocs()
	runSmall(b, b.N)
}
