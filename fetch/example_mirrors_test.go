package fetch_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/fetch"
)

// served is a sink that prints which URL served an item.
type served struct{}

func (served) Write(r *fetch.Record) error {
	for _, a := range r.Attempts {
		fmt.Println(a.Status, cmp.Or(a.Mirror, r.URL))
	}
	fmt.Println(r.ID, r.Outcome, r.Mirror)
	return nil
}

func (served) Flush() error { return nil }

// A file is to be had from three servers, of which one has lost it, and one has another file by that name.
func ExampleItem_mirrors() {
	srv := chaos.New(chaos.Config{}) // stands for the internet
	defer srv.Close()
	srv.StartPipe()
	want, _ := srv.Expect("http://c.test/ok?body=file", 1)

	list := fmt.Sprintf(`{"id":"file","url":"http://a.test/status/404","sha256":"%s",
		"mirrors":["http://b.test/ok?body=other","http://c.test/ok?body=file"]}`, want.SHA256)
	fetch.Run(context.Background(), fetch.Config{
		Transport: &http.Transport{DialContext: srv.DialContext, DisableCompression: true},
	}, fetch.Lines("urls.txt", strings.NewReader(strings.ReplaceAll(list, "\n", " "))), served{})
	// Output:
	// 404 http://a.test/status/404
	// 200 http://b.test/ok?body=other
	// 200 http://c.test/ok?body=file
	// file ok http://c.test/ok?body=file
}
