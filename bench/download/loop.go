package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// loop is the process of the bare loop: some goroutines with one http.Client read every URL of a list to its end. It prints a line for each that was
// had: its number in the list and its length.
func loop(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("loop", flag.ExitOnError)
	dir := flags.String("dir", "", "where to save bodies")
	durable := flags.Bool("sync", false, "give a file its name when its bytes are on the disk, and sync that too")
	limit := flags.Duration("timeout", 0, "of each request")
	flags.Parse(args)
	text, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	urls := strings.Fields(string(text))
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, DisableCompression: true}, Timeout: *limit}
	had := make([]int64, len(urls))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			var body bytes.Buffer
			for {
				i := int(next.Add(1)) - 1
				if i >= len(urls) {
					return
				}
				body.Reset()
				err := read(ctx, c, urls[i], &body)
				if err == nil && *dir != "" {
					save := saveAtOnce
					if *durable {
						save = saveDurably
					}
					err = save(filepath.Join(*dir, strconv.Itoa(i)), body.Bytes())
				}
				had[i] = int64(body.Len())
				if err != nil {
					had[i] = -1
				}
			}
		})
	}
	wg.Wait()
	out := bufio.NewWriter(stdout)
	for i, n := range had {
		if n >= 0 {
			fmt.Fprintln(out, i, n)
		}
	}
	return out.Flush()
}

func saveAtOnce(name string, body []byte) error { return os.WriteFile(name, body, 0o666) }

// saveDurably is what it takes for a file to be there, whole, or not at all, whatever happens.
func saveDurably(name string, body []byte) error {
	f, err := os.Create(name + ".part")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".part", name); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func read(ctx context.Context, c *http.Client, url string, to *bytes.Buffer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := to.ReadFrom(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// How everybody goes about it.
const (
	atOnce   = 64
	patience = 4 * time.Second // for an attempt, of the hostile server
	attempts = 5
)
