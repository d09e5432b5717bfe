package fetch_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/fetch"
)

func ExampleOpenJournal() {
	srv := chaos.New(chaos.Config{}) // stands for the internet
	defer srv.Close()
	srv.StartPipe()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	// A run that may be started again, and again, until it has all.
	get := func(urls ...string) {
		results, err := fetch.OpenJournal(filepath.Join(dir, "results.jsonl"), fetch.JournalConfig{})
		if err != nil {
			panic(err)
		}
		counts, err := fetch.Run(context.Background(), fetch.Config{
			Transport: &http.Transport{DialContext: srv.DialContext, DisableCompression: true},
		}, fetch.URLs(urls...), results)
		if cerr := results.Close(); err == nil {
			err = cerr
		}
		fmt.Println(counts.Done(), "done,", counts.Before, "of them before,", counts.Attempts, "requests now,", err)
	}
	get("http://a.test/ok/1", "http://a.test/ok/2")
	get("http://a.test/ok/1", "http://a.test/ok/2", "http://a.test/ok/3")
	get("http://a.test/ok/1", "http://a.test/ok/2", "http://a.test/ok/3")
	// Output:
	// 2 done, 0 of them before, 2 requests now, <nil>
	// 3 done, 2 of them before, 1 requests now, <nil>
	// 3 done, 3 of them before, 0 requests now, <nil>
}
