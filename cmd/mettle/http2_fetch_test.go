package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mettle-go/mettle/fetch"
)

// records is a sink that keeps everything.
type records []*fetch.Record

func (r *records) Write(one *fetch.Record) error { *r = append(*r, one); return nil }
func (r *records) Flush() error                  { return nil }

// A fetch obeys the same rules as the transport of mettlehttp: see TestHTTP2RequestsThatWereNotProcessed.
func TestAFetchSendsAPostAgainThatHTTP2DidNotProcess(t *testing.T) {
	for _, tt := range h2cases {
		for name, base := range h2bases() {
			for _, warm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/warm=%v", tt.how, name, warm), func(t *testing.T) {
					script := []string{tt.how}
					if warm {
						script = []string{"204", tt.how}
					}
					s := serveH2(t, script...)
					url := "http://" + s.Addr().String()
					post := fetch.Item{ID: "post", URL: url, Method: "POST", Body: "buy"}
					items := []fetch.Item{post}
					if warm {
						items = []fetch.Item{{URL: url}, post}
					}
					var got records
					_, err := fetch.Run(t.Context(), fetch.Config{
						Transport: base, PerHost: 1, Attempts: 3, Backoff: time.Nanosecond,
					}, fetch.Items(items...), &got)
					if err != nil {
						t.Fatal(err)
					}
					want := []string{"buy"}
					if tt.again {
						want = append(want, "buy")
					}
					if seen := s.requests()[len(script)-1:]; !slices.Equal(seen, want) {
						t.Errorf("the server saw %q, want %q", seen, want)
					}
					r := got[len(got)-1]
					if r.OK != tt.again || len(r.Attempts) != len(want) {
						t.Errorf("%d attempts, ok is %v (%v), want %d", len(r.Attempts), r.OK, r.Error, len(want))
					}
				})
			}
		}
	}
}
