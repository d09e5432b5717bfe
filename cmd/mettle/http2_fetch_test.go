package main

import (
	"fmt"
	"os"
	"path/filepath"
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

// A body that is longer than its content-length, or shorter, is a failure of the attempt, never a result, in however many frames it comes.
func TestABodyOverHTTP2OfAnotherLengthThanItsHeaderSays(t *testing.T) {
	for _, how := range []string{
		"200 of 4: body++", "200 of 4: bo dy+", "200 of 4: body +", "200 of 4: body + + +", "200 of 4: bod", "200 of 4: b o",
	} {
		for name, base := range h2bases() {
			for _, dir := range []string{"", t.TempDir()} {
				t.Run(fmt.Sprintf("%s/%s/saved=%v", how, name, dir != ""), func(t *testing.T) {
					s := serveH2(t, how, "200 of 4: bo dy")
					var got records
					_, err := fetch.Run(t.Context(), fetch.Config{Transport: base, Dir: dir, Attempts: 2, Backoff: time.Nanosecond},
						fetch.URLs("http://"+s.Addr().String()), &got)
					if err != nil {
						t.Fatal(err)
					}
					r := got[0]
					if len(r.Attempts) != 2 || r.Attempts[0].Error == "" || !r.OK || r.Bytes != 4 || !r.Complete {
						t.Errorf("%+v, %v, want a failure, then the body", r, r.Error)
					}
					if dir == "" {
						return
					}
					if b, err := os.ReadFile(r.Path); err != nil || string(b) != "body" {
						t.Errorf("the file has %q, %v", b, err)
					}
					if left, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.part*")); err != nil || len(left) > 0 {
						t.Errorf("left: %q, %v", left, err)
					}
				})
			}
		}
	}
}
