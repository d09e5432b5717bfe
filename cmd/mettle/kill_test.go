//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mettle-go/mettle/fetch"
)

// kills is how often a run is killed before it may come to its end.
const kills = 20

// A ledger is a server that counts requests by URL. Of its paths, /ok answers, /gone is 404, /cut breaks off at first, and /big time and again, but has
// ranges. A request that a killed run has sent may take until later runs to be heard, and proves nothing of these: it is not counted.
type ledger struct {
	*httptest.Server
	mu     sync.Mutex
	runs   int
	run    string // whose requests are counted: X-Run
	rests  int    // requests for the rest of a body
	seen   map[string]int
	total  int
	target int           // of total
	hit    chan struct{} // closed when target is reached
}

func newLedger(t *testing.T) *ledger {
	l := &ledger{seen: make(map[string]int), hit: make(chan struct{})}
	l.Server = httptest.NewUnstartedServer(l)
	l.Config.ErrorLog = log.New(io.Discard, "", 0)
	l.Start()
	t.Cleanup(l.Close)
	return l
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	if r.Header.Get("X-Run") != l.run {
		l.mu.Unlock()
		return
	}
	l.seen[r.URL.Path]++
	n := l.seen[r.URL.Path]
	if l.total++; l.total == l.target {
		close(l.hit)
	}
	if r.Header.Get("Range") != "" {
		l.rests++
	}
	l.mu.Unlock()
	body := ledgerBody(r.URL.Path)
	w.Header().Set("ETag", `"1"`)
	if strings.HasPrefix(r.URL.Path, "/big") {
		http.ServeContent(&brittle{w, bigBody / 3}, r, "", time.Time{}, bytes.NewReader(body))
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	switch {
	case strings.HasPrefix(r.URL.Path, "/gone"):
		w.WriteHeader(http.StatusNotFound)
	case strings.HasPrefix(r.URL.Path, "/cut") && n == 1:
		body = body[:len(body)/2]
	}
	w.Write(body)
}

const bigBody = 400 << 10

func ledgerBody(path string) []byte {
	if !strings.HasPrefix(path, "/big") {
		return bytes.Repeat([]byte(path+"\n"), 100)
	}
	var b bytes.Buffer
	for i := 0; b.Len() < bigBody; i++ { // no two stretches the same, so that one in the wrong place is seen
		fmt.Fprintf(&b, "%s %d\n", path, i)
	}
	return b.Bytes()
}

// A brittle answer breaks off after so many bytes.
type brittle struct {
	http.ResponseWriter
	left int
}

func (b *brittle) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		b.ResponseWriter.Write(p[:b.left+len(p)])
		http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return b.ResponseWriter.Write(p)
}

// begin makes the requests of a new run the ones that count, and returns the arguments by which it tells that it is that.
func (l *ledger) begin() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs++
	l.run = fmt.Sprint(l.runs)
	return []string{"--header", "X-Run: " + l.run}
}

// after returns a channel that is closed after n more requests, 0 being none.
func (l *ledger) after(n int) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hit, l.target = make(chan struct{}), l.total+n
	if n == 0 {
		close(l.hit)
	}
	return l.hit
}

func (l *ledger) requests(path string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen[path]
}

// However often a run is killed, and wherever its last line breaks off, in the end every URL has one line, no line was lost, and what had a
// line was not requested again. A body that has a line is whole.
func TestKilledRunsGoOn(t *testing.T) {
	for bodies, size := range map[bool]int{false: 3000, true: 1000} { // each body waits for the disk
		t.Run(fmt.Sprintf("bodies=%v", bodies), func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			var urls []string
			for i := range size {
				kind := []string{"ok", "ok", "gone", "ok", "cut"}[i%5]
				if bodies && i%50 == 0 { // without a file there is nothing to go on with
					kind = "big"
				}
				urls = append(urls, fmt.Sprintf("%s/%s/%d", l.URL, kind, i))
			}
			k := killing{ledger: l, t: t, dir: dirInMemory(t), draw: rand.New(rand.NewPCG(1, 6)), most: 2 * size / kills, final: make(map[string]int)}
			k.out = filepath.Join(k.dir, "out.jsonl")
			list := filepath.Join(k.dir, "urls.txt")
			if err := os.WriteFile(list, []byte(strings.Join(urls, "\n")), 0o666); err != nil {
				t.Fatal(err)
			}
			k.args = []string{"fetch", "--progress", "none", "-c", "16", "--per-host", "16", "-o", k.out, list}
			if bodies {
				k.bodies = filepath.Join(k.dir, "bodies")
				k.args = append(k.args, "--dir", k.bodies)
			}
			for range kills {
				k.kill()
				k.check()
			}
			cmd := exec.Command("mettle", append(k.args, l.begin()...)...)
			cmd.Stderr = os.Stderr
			if cmd.Run(); cmd.ProcessState.ExitCode() != exitSome {
				t.Fatalf("the last run ended with %v, want code %d", cmd.ProcessState, exitSome)
			}
			k.check()
			if len(k.final) != len(urls) {
				t.Errorf("%d URLs have a line, want %d", len(k.final), len(urls))
			}
			if bodies {
				k.checkLeft()
			}
			if k.torn == 0 {
				t.Error("no line was ever torn")
			}
		})
	}
}

// dirInMemory is a directory without a disk to wait for, if there is one: a kill, unlike a power cut, loses nothing that was written.
func dirInMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "mettle-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// A killing is a run that is killed again and again.
type killing struct {
	*ledger
	t      *testing.T
	args   []string
	dir    string
	out    string
	bodies string // where they are saved; "" if they are not
	draw   *rand.Rand
	most   int            // requests before a kill
	had    []byte         // what whole lines the file had
	final  map[string]int // requests for the paths that have a line, when they were first seen to have it
	torn   int
}

// kill starts the run, kills it at a random moment, and now and then tears its last line.
func (k *killing) kill() {
	n := k.draw.IntN(k.most)
	if k.draw.IntN(10) == 0 {
		n = 0 // while it still reads its file
	}
	hit := k.after(n)
	cmd := exec.Command("mettle", append(k.args, k.begin()...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		cmd.Wait()
		close(over)
	}()
	select {
	case <-hit:
		cmd.Process.Kill()
		<-over
	case <-over: // had less to do
		if code := cmd.ProcessState.ExitCode(); code != exitSome {
			k.t.Fatalf("a run ended with %v, want code %d", cmd.ProcessState, exitSome)
		}
	}
	text, _ := os.ReadFile(k.out)
	if len(text) > len(k.had) && k.draw.IntN(2) == 0 {
		last := text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
		cut := 1 + k.draw.IntN(len(last))
		if err := os.Truncate(k.out, int64(len(text)-cut)); err != nil {
			k.t.Fatal(err)
		}
		k.torn++
	}
}

// check compares what the file says with what the server saw.
func (k *killing) check() {
	k.t.Helper()
	text, err := os.ReadFile(k.out)
	if err != nil && !os.IsNotExist(err) {
		k.t.Fatal(err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	if !bytes.HasPrefix(whole, k.had) {
		k.t.Fatal("lines that were there are gone")
	}
	for _, r := range recordsOf(k.t.Fatalf, string(whole[len(k.had):])) {
		path := strings.TrimPrefix(r.URL, k.URL)
		if _, ok := k.final[path]; ok {
			k.t.Errorf("%s has two lines", path)
		}
		k.final[path] = k.requests(path)
		if want := !strings.HasPrefix(path, "/gone"); r.OK != want {
			k.t.Errorf("%s is %s: %v", path, r.Outcome, r.Error)
		} else if want {
			k.checkBody(path, r)
		}
	}
	k.had = whole
	for path, n := range k.final {
		if now := k.requests(path); now != n {
			k.t.Errorf("%s had its line after %d requests, and now there are %d", path, n, now)
		}
	}
}

func (k *killing) checkBody(path string, r fetch.Record) {
	k.t.Helper()
	sum := sha256.Sum256(ledgerBody(path))
	if r.SHA256 != hex.EncodeToString(sum[:]) {
		k.t.Errorf("%s has the sum %s, want %x", path, r.SHA256, sum)
	}
	if k.bodies == "" {
		return
	}
	if body, err := os.ReadFile(r.Path); err != nil || !strings.HasPrefix(r.Path, k.bodies+"/") || !bytes.Equal(body, ledgerBody(path)) {
		k.t.Errorf("the body of %s has %d bytes: %v", path, len(body), err)
	}
}

// checkLeft looks for what runs have left beside the bodies.
func (k *killing) checkLeft() {
	k.t.Helper()
	if k.rests == 0 {
		k.t.Error("no body was ever gone on with")
	}
	err := filepath.WalkDir(k.bodies, func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(path, ".part") || strings.Contains(path, ".probe") {
			k.t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		k.t.Error(err)
	}
}
