// Package toxi tests fetch over real TCP through toxiproxy, which delays, throttles, cuts and resets connections and goes away
// altogether. It has no other code: what it needs of other modules stays out of those that are shipped.
package toxi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/fetch"
)

// A line is a good server behind a proxy, and what was fetched over it.
type line struct {
	t      *testing.T
	server *chaos.Server
	proxy  *toxiproxy.Proxy
	config fetch.Config
	dial   net.Dialer
	unseen bool // some requests do not reach the server

	mu      sync.Mutex
	refused int
	records []*fetch.Record
	written func(n int) // is called after each record, if not nil
	deny    func(n int) // is called after each connection that was refused, if not nil
}

// newLine puts the toxics, as the proxy's own JSON, into the line from the server to its client, unless they say otherwise.
func newLine(t *testing.T, toxics ...string) *line {
	t.Helper()
	l := &line{t: t, server: chaos.New(chaos.Config{Seed: 1})}
	if err := l.server.Start(""); err != nil {
		t.Fatal(err)
	}
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l.proxy = toxiproxy.NewProxy(api, "line", "127.0.0.1:0", l.server.Addr())
	for _, toxic := range toxics {
		if _, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			t.Fatalf("%s: %v", toxic, err)
		}
	}
	if err := l.proxy.Start(); err != nil {
		t.Fatal(err)
	}
	l.config = fetch.Config{
		PerHost: 16, Attempts: 20, Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		Park: 5 * time.Millisecond, MaxPark: 40 * time.Millisecond,
	}
	t.Cleanup(func() {
		l.proxy.Stop()
		l.server.Close()
	})
	return l
}

// Write and Flush make a line the Sink of its own run.
func (l *line) Write(r *fetch.Record) error {
	l.records = append(l.records, r)
	if l.written != nil {
		l.written(len(l.records))
	}
	return nil
}

func (l *line) Flush() error { return nil }

func (l *line) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := l.dial.DialContext(ctx, network, addr)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused++
		if l.deny != nil {
			l.deny(l.refused)
		}
	}
	return conn, err
}

// fetch gets n good files of that size through the line. All must be whole, and each record must tell of every request that the
// server saw.
func (l *line) fetch(n, size int) {
	l.t.Helper()
	transport := &http.Transport{DialContext: l.DialContext, MaxIdleConnsPerHost: l.config.PerHost, DisableCompression: true}
	defer transport.CloseIdleConnections()
	l.config.Transport = transport
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://%s/ok/%d?size=%d", l.proxy.Listen, i, size)
	}
	counts, err := fetch.Run(l.t.Context(), l.config, fetch.URLs(urls...), l)
	if err != nil || counts.OK != int64(n) || len(l.records) != n {
		l.t.Errorf("%d of %d are ok, %d records, error %v: %v", counts.OK, n, len(l.records), err, counts.Kinds)
	}
	for _, r := range l.records {
		want, err := l.server.Expect(r.URL, 1)
		if err != nil {
			l.t.Fatal(err)
		}
		if !r.OK || !r.Complete || r.Bytes != int64(size) || r.SHA256 != want.SHA256 {
			l.t.Errorf("%s is %s, %d bytes, %s; %v", r.URL, r.Outcome, r.Bytes, r.SHA256, r.Error)
		}
		if l.config.Dir != "" {
			l.saved(r, want.SHA256)
		}
		for i, a := range r.Attempts {
			if a.N != i+1 || (a.Error == "") != (i == len(r.Attempts)-1) {
				l.t.Errorf("%s: attempt %d of %d is %+v", r.URL, i+1, len(r.Attempts), a)
			}
		}
		if saw := l.server.Requests(r.URL); saw > int64(len(r.Attempts)) || saw < int64(len(r.Attempts)) && !l.unseen {
			l.t.Errorf("%s has %d attempts, the server saw %d", r.URL, len(r.Attempts), saw)
		}
	}
}

// memory is a directory in memory, if there is one: every piece of a file is synced, which is not what is tested here and takes a disk long.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "toxi-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// saved wants the record's file to be whole.
func (l *line) saved(r *fetch.Record, sum string) {
	l.t.Helper()
	body, err := os.ReadFile(r.Path)
	if got := sha256.Sum256(body); err != nil || hex.EncodeToString(got[:]) != sum {
		l.t.Errorf("%s is %d bytes in %q: %x, want %s; %v", r.URL, len(body), r.Path, got, sum, err)
	}
}

// tidy wants nothing but n bodies to be in the directory.
func (l *line) tidy(n int) {
	l.t.Helper()
	left := 0
	filepath.WalkDir(l.config.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			l.t.Error(err)
		} else if !e.IsDir() {
			left++
		}
		if strings.Contains(path, ".part") {
			l.t.Errorf("%s is left", path)
		}
		return nil
	})
	if left < n {
		l.t.Errorf("there are %d files, want %d", left, n)
	}
}

// failures counts the attempts that failed with an error that begins with one of the kinds. Any other failure is an error of the test.
func (l *line) failures(kinds ...fetch.Kind) int {
	l.t.Helper()
	n := 0
	for _, r := range l.records {
		for _, a := range r.Attempts {
			known := a.Error == ""
			for _, k := range kinds {
				if strings.HasPrefix(a.Error, string(k)+": ") {
					known = true
					n++
				}
			}
			if !known {
				l.t.Errorf("%s: attempt %d failed with %q, want one of %v", r.URL, a.N, a.Error, kinds)
			}
		}
	}
	return n
}

func TestLatency(t *testing.T) {
	l := newLine(t, `{"type":"latency","attributes":{"latency":20,"jitter":15}}`,
		`{"name":"up","type":"latency","stream":"upstream","attributes":{"latency":5,"jitter":5}}`)
	l.fetch(200, 5000)
	l.failures()
}

func TestBandwidth(t *testing.T) {
	l := newLine(t, `{"type":"bandwidth","attributes":{"rate":2000}}`) // KB/s, of each connection
	l.fetch(100, 50_000)
	l.failures()
}

// Pieces of a few bytes, with pauses between them: heads and bodies come apart everywhere.
func TestSlices(t *testing.T) {
	l := newLine(t, `{"type":"slicer","attributes":{"average_size":100,"size_variation":90,"delay":100}}`)
	l.fetch(100, 3000)
	l.failures()
}

// Half of the connections are reset as soon as the server answers.
func TestResets(t *testing.T) {
	l := newLine(t, `{"type":"reset_peer","toxicity":0.5,"attributes":{"timeout":0}}`)
	l.fetch(200, 5000)
	if n := l.failures(fetch.KindReset); n == 0 {
		t.Error("no attempt met a reset")
	}
}

// Half of the connections are reset as soon as something is sent.
func TestResetsOnTheWayUp(t *testing.T) {
	l := newLine(t, `{"type":"reset_peer","stream":"upstream","toxicity":0.5,"attributes":{"timeout":0}}`)
	l.unseen = true
	l.fetch(200, 5000)
	if n := l.failures(fetch.KindReset); n == 0 {
		t.Error("no attempt met a reset")
	}
}

// A connection ends without a word after so many bytes, wherever that is: in a head, in a body, between two answers.
func TestConnectionsThatEnd(t *testing.T) {
	for _, limit := range []int{9_000, 10_007, 20_011} {
		l := newLine(t, fmt.Sprintf(`{"type":"limit_data","attributes":{"bytes":%d}}`, limit))
		l.fetch(200, 7000)
		if n := l.failures(fetch.KindTruncated, fetch.KindReset); n < 50 {
			t.Errorf("connections end after %d bytes, and only %d attempts failed", limit, n)
		}
	}
}

// No connection brings a whole file. What one has brought is kept, and the next goes on from there.
func TestSavedOverConnectionsThatEnd(t *testing.T) {
	l := newLine(t, `{"type":"limit_data","attributes":{"bytes":30011}}`)
	l.config.Dir = memory(t)
	l.fetch(20, 100_000)
	l.tidy(20)
	if n := l.failures(fetch.KindTruncated, fetch.KindReset); n < 20*3 {
		t.Errorf("%d attempts failed, want 3 or more for each file", n)
	}
	for _, r := range l.records {
		if len(r.Attempts) > 8 {
			t.Errorf("%s took %d attempts of 30 kB each for 100 kB", r.URL, len(r.Attempts))
		}
	}
}

// What brings a megabyte closer to the end uses up no attempt.
func TestSavedPieceByPiece(t *testing.T) {
	l := newLine(t, `{"type":"limit_data","attributes":{"bytes":1300000}}`)
	l.config.Dir, l.config.Attempts = memory(t), 2
	l.fetch(2, 12<<20)
	l.tidy(2)
	if n := l.failures(fetch.KindTruncated, fetch.KindReset); n < 2*9 {
		t.Errorf("%d attempts failed, want 9 or more for each file", n)
	}
}

// Files come slowly, so that the line that goes down cuts them anywhere.
func TestSavedDownAndUp(t *testing.T) {
	l := newLine(t, `{"type":"bandwidth","attributes":{"rate":4000}}`)
	l.config.Dir, l.config.Attempts, l.unseen = memory(t), 8, true
	l.written = func(n int) {
		if n%40 == 20 {
			l.proxy.Stop()
		}
	}
	l.deny = func(n int) {
		if n%30 == 0 {
			if err := l.proxy.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted {
				t.Error(err)
			}
		}
	}
	l.fetch(120, 150_000)
	l.tidy(120)
	if n := l.failures(fetch.KindRefused, fetch.KindReset, fetch.KindTruncated); n < 60 {
		t.Errorf("%d attempts failed, want more", n)
	}
}

// The line goes down in the middle, three times. It comes up after some have tried in vain, and no URL is lost by that.
func TestDownAndUp(t *testing.T) {
	l := newLine(t, `{"type":"latency","attributes":{"latency":2}}`)
	l.config.Attempts, l.unseen = 8, true
	l.written = func(n int) {
		if n%100 == 50 {
			l.proxy.Stop()
		}
	}
	l.deny = func(n int) {
		if n%30 == 0 {
			if err := l.proxy.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted {
				t.Error(err)
			}
		}
	}
	l.fetch(300, 20_000)
	if l.refused < 3*30 {
		t.Errorf("%d connections were refused, want 90 or more", l.refused)
	}
	if n := l.failures(fetch.KindRefused, fetch.KindReset, fetch.KindTruncated); n < 60 {
		t.Errorf("%d attempts failed, want more", n)
	}
}
