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

// lister is a sink that prints what was saved.
type lister struct{ dir string }

func (l lister) Write(r *fetch.Record) error {
	if !r.OK {
		fmt.Println(r.ID, "failed:", r.Error)
		return nil
	}
	info, err := os.Stat(r.Path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(l.dir, r.Path)
	fmt.Println(filepath.ToSlash(name), "has", info.Size(), "bytes after", len(r.Attempts), "attempts")
	return err
}

func (lister) Flush() error { return nil }

// Bodies go into files. The server cuts this one twice; each time only the rest is asked for.
func ExampleConfig_dir() {
	srv := chaos.New(chaos.Config{}) // stands for the internet
	defer srv.Close()
	srv.StartPipe()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	_, err = fetch.Run(context.Background(), fetch.Config{
		Dir:       dir,
		MaxSize:   10 << 20,
		Backoff:   1, // in nanoseconds: an example should not wait
		Transport: &http.Transport{DialContext: srv.DialContext, DisableCompression: true},
	}, fetch.URLs("http://a.test/short/photo.jpg?size=1000&heal=2"), lister{dir})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// a.test/05/photo-03195f0e3dfaf49b.jpg has 1000 bytes after 3 attempts
}
