package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/fetch"
)

// printer is a sink that prints what a person wants to see.
type printer struct{}

func (printer) Write(r *fetch.Record) error {
	if r.OK {
		fmt.Println(r.ID, "ok,", r.Bytes, "bytes, attempts:", len(r.Attempts))
	} else {
		fmt.Println(r.ID, "failed:", r.Error)
	}
	return nil
}

func (printer) Flush() error { return nil }

func ExampleRun() {
	srv := chaos.New(chaos.Config{}) // stands for the internet
	defer srv.Close()
	srv.StartPipe()

	list := `# what to fetch
{"id":"cut off twice", "url":"http://a.test/short?size=4096&heal=2"}
`
	counts, err := fetch.Run(context.Background(), fetch.Config{
		Transport: &http.Transport{DialContext: srv.DialContext, DisableCompression: true},
		Backoff:   1, // in nanoseconds: an example should not wait
	}, fetch.Lines("urls.txt", strings.NewReader(list)), printer{})
	fmt.Println(counts.OK, "ok,", counts.Failed, "failed,", err)
	// Output:
	// cut off twice ok, 4096 bytes, attempts: 3
	// 1 ok, 0 failed, <nil>
}

func ExampleItems() {
	srv := chaos.New(chaos.Config{})
	defer srv.Close()
	srv.StartPipe()

	fetch.Run(context.Background(), fetch.Config{
		Transport: &http.Transport{DialContext: srv.DialContext, DisableCompression: true},
	}, fetch.Items(fetch.Item{ID: "gone", URL: "http://a.test/status/410"}), printer{})
	// Output:
	// gone failed: status: 410 Gone
}
