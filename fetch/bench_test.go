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

// smallList is a list of n URLs of one host.
func smallList(n int) []byte {
	var list []byte
	for i := range n {
		list = fmt.Appendf(list, "http://a.test:8080/files/%d\n", i)
	}
	return list
}

// runSmall fetches all of list from small.
func runSmall(tb testing.TB, list []byte) {
	var d discard
	c := Config{PerHost: 64, Transport: small}
	counts, err := Run(context.Background(), c, Lines("list", bytes.NewReader(list)), &d)
	if n := bytes.Count(list, []byte("\n")); err != nil || d.ok != n {
		tb.Fatalf("%d of %d are ok, %v, %+v", d.ok, n, err, counts)
	}
}

// BenchmarkItem is what an item costs beside net/http's own part.
func BenchmarkItem(b *testing.B) {
	b.ReportAllocs()
	list := smallList(b.N)
	b.ResetTimer()
	runSmall(b, list)
}
