package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/mettle-go/mettle/chaos"
)

func newDemo() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:                   "demo [--json]",
		DisableFlagsInUseLine: true,
		Short:                 "Show fetch against a hostile server, beside a plain client",
		Long: `Start a hostile server on a port of this machine, fetch 3,000 URLs from it with
a plain http.Client and then with mettle, and print the two side by side.

Both meet the same list, the same faults and an untouched server: connections
that are reset, bodies cut off, silence, error pages, a host that asks to be
left alone, a host that is down.

It takes 10 to 20 seconds, needs no network and leaves nothing behind.`,
		Example: `  mettle demo          the table
  mettle demo --json   the figures`,
		GroupID:           mainGroup.ID,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := demo{seed: 1, urls: 3000}
			var say io.Writer = cmd.ErrOrStderr()
			if asJSON {
				say = io.Discard
			}
			plain, with, err := d.run(cmd.Context(), say)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]*score{"plain": plain, "mettle": with})
			}
			return d.table(cmd.OutOrStdout(), plain, with)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print figures as JSON instead of a table")
	return cmd
}

// A demo is one list of URLs for both clients.
type demo struct {
	seed  uint64
	urls  int
	grace time.Duration // of the server, for requests that were on their way when it asked to be left alone; 0: its own default
}

// A score is what one client made of the list.
type score struct {
	Got        int     `json:"got"`        // whole and right
	Lost       int     `json:"lost"`       // not got, though it can be had
	Wrong      int     `json:"wrong"`      // taken for good: a piece, or an error page
	Requests   int64   `json:"requests"`   // that the server saw
	Violations int64   `json:"violations"` // of them, sent to a host that had asked to be left alone
	Seconds    float64 `json:"seconds"`

	kinds map[string]int // why the client says that URLs failed
}

// A result is what a client says of one URL.
type result struct {
	url  string
	sum  string // SHA-256 of the body, if the client takes it for good
	kind string // else why it failed
}

// A client fetches all URLs through d and returns one result for each.
type client func(ctx context.Context, d dialer, urls []string) ([]result, error)

func (d demo) run(ctx context.Context, say io.Writer) (plain, with *score, err error) {
	urls := demoList(d.seed, d.urls)
	fmt.Fprintf(say, "mettle: fetching %s URLs of %d hosts from a hostile server, first with a plain http.Client\n", number(int64(d.urls)), demoHosts+2)
	if plain, err = d.try(ctx, urls, plainClient); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(say, "mettle: done in %.1fs, now with mettle\n", plain.Seconds)
	if with, err = d.try(ctx, urls, mettleClient); err != nil {
		return nil, nil, err
	}
	return plain, with, nil
}

// try lets c loose on a new server and compares what it brings with what the server says can be had.
func (d demo) try(ctx context.Context, urls []string, c client) (*score, error) {
	srv := chaos.New(chaos.Config{Seed: d.seed, Grace: d.grace})
	if err := srv.Start("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("cannot listen on this machine: %w", err)
	}
	defer srv.Close()
	begin := time.Now()
	results, err := c(ctx, dialer{srv}, urls)
	if err != nil {
		return nil, err
	}
	t := &score{Seconds: time.Since(begin).Round(100 * time.Millisecond).Seconds(), kinds: make(map[string]int)}
	for _, r := range results {
		truth, err := expect(srv, r.url)
		if err != nil {
			return nil, err
		}
		switch {
		case r.sum != "" && truth.Gettable && r.sum == truth.SHA256:
			t.Got++
			continue
		case r.sum != "":
			t.Wrong++
		default:
			t.kinds[r.kind]++
		}
		if truth.Gettable {
			t.Lost++
		}
	}
	stats := srv.Stats()
	t.Requests, t.Violations = stats.Requests, stats.Violations
	return t, nil
}

// attempts is how often mettle tries a URL, and so what "can be had" means.
const attempts = 5

// expect is the server's own word on a URL, which does not know that nothing listens at one of its names.
func expect(srv *chaos.Server, url string) (chaos.Expectation, error) {
	if hostOf(url) == deadHost {
		return chaos.Expectation{}, nil
	}
	return srv.Expect(url, attempts)
}
