package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A page is what a URL of a world has: bodies that take each other's place, all of one length or not.
type page struct {
	bodies    [][]byte
	at        int // the one it has now
	validator int
}

// How a page names its body. The tags are the same on all pages, which is everybody's right.
const (
	strongly = iota
	weakly
	dated
	datedNow
	byTagAndDate
	notAtAll
	validators
)

func (p *page) header(h http.Header) {
	tag := fmt.Sprintf(`"v%d"`, p.at)
	switch p.validator {
	case strongly:
		h.Set("ETag", tag)
	case weakly:
		h.Set("ETag", "W/"+tag)
	case byTagAndDate:
		h.Set("ETag", tag)
		h.Set("Last-Modified", p.date())
	case dated:
		h.Set("Last-Modified", p.date())
	case datedNow:
		h.Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
}

// date is long before a bubble begins.
func (p *page) date() string {
	return time.Date(1999, 1, 1+p.at, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)
}

// A world is a few hosts that do as they like until they are calm. Then they are good.
type world struct {
	mu    sync.Mutex
	draw  *rand.Rand
	pages map[string]*page // by host and path
	names []string
	whole map[string]bool // the sums of all bodies
	calm  bool
	asked map[string]int // in this run, by the field X-Item
}

func newWorld(draw *rand.Rand) *world {
	w := &world{draw: draw, pages: make(map[string]*page), whole: make(map[string]bool)}
	for i := range 2 + draw.IntN(6) {
		p := &page{validator: draw.IntN(validators)}
		size := 60_000
		for v := range 1 + draw.IntN(3) {
			if draw.IntN(3) == 0 {
				size = draw.IntN(150_000)
			}
			p.bodies = append(p.bodies, text(100*i+v+1, size))
			w.whole[sumOf(p.bodies[v])] = true
		}
		name := fmt.Sprintf("%c.test/%d.bin", 'a'+i%3, i)
		w.pages[name] = p
		w.names = append(w.names, name)
	}
	return w
}

// odds is true once in n times.
func (w *world) odds(n int) bool { return w.draw.IntN(n) == 0 }

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res, err := w.answer(r)
	if res == nil && err == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return res, err
}

// answer returns no answer and no error for a request that has none for ever.
func (w *world) answer(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[r.Header.Get("X-Item")]++
	wild := !w.calm
	p := w.pages[r.URL.Host+r.URL.Path]
	if wild && p.at+1 < len(p.bodies) && w.odds(6) {
		p.at++
	}
	if wild {
		switch w.draw.IntN(24) {
		case 0:
			return nil, syscall.ECONNREFUSED
		case 1:
			return nil, syscall.ECONNRESET
		case 2:
			return answer(r, 503, "busy"), nil
		case 3:
			return answer(r, 429, "", "Retry-After", strconv.Itoa(w.draw.IntN(3))), nil
		case 4:
			return answer(r, 404, "none"), nil
		case 5, 6:
			return answer(r, 302, "", "Location", "http://"+w.names[w.draw.IntN(len(w.names))]), nil
		case 7:
			return answer(r, 416, "", "Content-Range", fmt.Sprintf("bytes */%d", w.draw.IntN(70_000))), nil
		case 8:
			return nil, nil
		}
	}
	return w.body(r, p, wild), nil
}

// body is the answer with the body, or with a part of it.
func (w *world) body(r *http.Request, p *page, wild bool) *http.Response {
	res := answer(r, 200, "")
	p.header(res.Header)
	all := p.bodies[p.at]
	from, ranged := 0, false
	if asked, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !(wild && w.odds(8)) {
		from, _ = strconv.Atoi(strings.TrimSuffix(asked, "-"))
		is := r.Header.Get("If-Range")
		ranged = is == res.Header.Get("ETag") || is == res.Header.Get("Last-Modified") || wild && w.odds(4) // which is a lie that the header tells
	}
	first, last, total := 0, len(all)-1, strconv.Itoa(len(all))
	switch {
	case !ranged:
	case from >= len(all):
		res = answer(r, 416, "", "Content-Range", "bytes */"+total)
		p.header(res.Header)
		return res
	default:
		if first = from; wild {
			switch w.draw.IntN(16) {
			case 0:
				first = min(first+1, last)
			case 1:
				total = strconv.Itoa(len(all) + 1)
			case 2:
				last -= min(5, last-first)
			case 3:
				total = "*"
			}
		}
		res.StatusCode = 206
		res.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", first, last, total))
	}
	rest := &wildBody{ctx: r.Context(), w: w, rest: all[first : last+1]}
	res.Body, res.ContentLength = rest, int64(len(rest.rest))
	if w.odds(3) {
		res.ContentLength, res.TransferEncoding = -1, []string{"chunked"}
	}
	if r.Method == http.MethodHead {
		rest.rest = nil
	}
	if wild && w.odds(2) && len(rest.rest) > 0 {
		rest.rest, rest.err = rest.rest[:w.draw.IntN(len(rest.rest))], io.ErrUnexpectedEOF
		switch {
		case w.odds(4):
			rest.err = errStalled // until somebody gives up
		case w.odds(4) && (ranged || res.ContentLength >= 0):
			rest.err = nil // the header says how much there should be
		}
	}
	return res
}

// A wildBody comes in pieces, some of which take their time.
type wildBody struct {
	ctx  context.Context
	w    *world
	rest []byte
	err  error // at its end; nil: EOF
}

func (b *wildBody) Read(p []byte) (int, error) {
	b.w.mu.Lock()
	n, slow := 1+b.w.draw.IntN(40_000), b.w.odds(4)
	b.w.mu.Unlock()
	if slow {
		time.Sleep(100 * time.Millisecond)
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.rest) > 0 {
		n = copy(p[:min(n, len(p))], b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	if b.err == errStalled {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

func (b *wildBody) Close() error { return nil }

// list draws a list of items.
func (w *world) list() []Item {
	var items []Item
	page := func() string { return w.names[w.draw.IntN(len(w.names))] }
	for i := range 1 + w.draw.IntN(10) {
		name := page()
		it := Item{URL: "http://" + name + fmt.Sprintf("?%d", i), Header: map[string]string{"X-Item": strconv.Itoa(i)}}
		switch w.draw.IntN(12) {
		case 0:
			it.ID = "id"
		case 1:
			it.Method = "PUT"
		case 2:
			it.Method = "HEAD"
		case 3:
			it.URL = "ftp://a.test/"
		case 4, 5:
			it.SHA256 = sumOf(w.pages[name].bodies[0])
		case 6, 7, 8:
			for range 1 + w.draw.IntN(2) {
				it.Mirrors = append(it.Mirrors, "http://"+page())
			}
		case 9:
			if i > 0 {
				it = items[w.draw.IntN(i)]
			}
		}
		items = append(items, it)
	}
	return items
}

// A life is a list that is fetched in several runs, which end in all manners.
type life struct {
	*testing.T
	*world
	seed  uint64
	dir   string
	out   string
	items []Item
	most  int64
}

func (l *life) fail(format string, args ...any) {
	l.Helper()
	l.Errorf("seed %d: %s", l.seed, fmt.Sprintf(format, args...))
}

// records reads the file of results, whose last line may be torn.
func (l *life) records() (all []Record) {
	l.Helper()
	b, err := os.ReadFile(l.out)
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(b) {
		var r Record
		if err := json.Unmarshal(line, &r); err == nil {
			all = append(all, r)
		} else if line[len(line)-1] == '\n' {
			l.fail("line %.100q: %v", line, err)
		}
	}
	return all
}

// run goes on with the list, in a bubble of its own.
func (l *life) run(c Config, jc JournalConfig, stop, cancel time.Duration) (counts Counts, err error) {
	l.Helper()
	before := l.records()
	if jc.RetryFailed {
		before = slices.DeleteFunc(before, func(r Record) bool { return !r.OK })
	}
	l.asked = make(map[string]int)
	c.Dir, c.Transport, c.MaxSize, c.Meter = l.dir, l.world, l.most, new(Meter)
	synctest.Test(l.T, func(t *testing.T) {
		var j *Journal
		if j, err = OpenJournal(l.out, jc); err != nil {
			return
		}
		ctx, done := context.WithTimeout(t.Context(), cancel)
		defer done()
		halt := make(chan struct{})
		c.Stop = halt
		timer := time.AfterFunc(stop, func() { close(halt) })
		counts, err = Run(ctx, c, Items(l.items...), j)
		timer.Stop()
		if cerr := j.Close(); cerr != nil {
			l.fail("closing the journal: %v", cerr)
		}
	})
	now := l.records()
	if got := int64(len(now) - len(before)); err == nil && counts.Left() != 0 || counts.Left() < 0 || got != counts.Done()-counts.Before {
		l.fail("%d lines are new, and the run ended with %v, %+v", got, err, counts)
	}
	if err == nil && (len(now) != len(l.items) || counts.Read != int64(len(now)) || !counts.AllRead) {
		l.fail("%d lines for %d items, %+v", len(now), len(l.items), counts)
	}
	if counts.Running != 0 || err == nil && (counts.Waiting != 0 || counts.Resting != 0) {
		l.fail("ended with %+v", counts)
	}
	for _, ok := range []error{nil, ErrStopped, ErrTime, ErrFailures, context.DeadlineExceeded} {
		if errors.Is(err, ok) {
			l.check(before, now)
			return counts, err
		}
	}
	l.fail("ended with %v", err)
	return counts, err
}

// check holds what the file says against the list, the bodies and what was asked for.
func (l *life) check(before, now []Record) {
	l.Helper()
	items, results, done, files := make(map[string]int), make(map[string]int), make(map[string]int), make(map[string]int)
	for _, it := range l.items {
		items[it.id()]++
		files[it.id()+it.URL]++
	}
	for _, r := range before {
		done[r.ID]++
	}
	for _, it := range l.items {
		if n := l.asked[it.Header["X-Item"]]; n > 0 && done[it.id()] == items[it.id()] {
			l.fail("%s has its result, and was asked for again", it.id())
		}
	}
	for _, r := range now {
		if results[r.ID]++; results[r.ID] > items[r.ID] {
			l.fail("%s has %d results for %d items", r.ID, results[r.ID], items[r.ID])
		}
		if !r.OK {
			if r.Path != "" || r.Error == nil {
				l.fail("%+v", r)
			}
			continue
		}
		at := slices.IndexFunc(l.items, func(it Item) bool { return it.id() == r.ID && it.URL == r.URL })
		it := l.items[at]
		if it.Method == http.MethodHead {
			continue
		}
		b, err := os.ReadFile(r.Path)
		if sum := sumOf(b); err != nil || !l.whole[r.SHA256] || !l.whole[sum] || files[r.ID+r.URL] == 1 && (sum != r.SHA256 || r.Bytes != int64(len(b))) {
			l.fail("%s: %v, %d bytes of %s, want %d of %s", r.ID, err, len(b), sum, r.Bytes, r.SHA256)
		}
		if it.SHA256 != "" && it.SHA256 != r.SHA256 || l.most > 0 && r.Bytes > l.most {
			l.fail("%s: %d bytes of %s, want at most %d, of %s", r.ID, r.Bytes, r.SHA256, l.most, it.SHA256)
		}
	}
}

// crash does to the files what a kill or a power cut can do, and more.
func (l *life) crash() {
	if info, err := os.Stat(l.out); err == nil && l.odds(2) {
		os.Truncate(l.out, max(0, info.Size()-int64(l.draw.IntN(1500))))
	}
	filepath.WalkDir(l.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(name, ".part") || !l.odds(3) {
			return nil
		}
		b, _ := os.ReadFile(name)
		switch l.draw.IntN(5) {
		case 0:
			b = b[:l.draw.IntN(len(b)+1)]
		case 1:
			b = append(b, make([]byte, 1000)...)
		case 2:
			if len(b) > 0 {
				b[l.draw.IntN(len(b))] ^= 1
			}
		case 3:
			os.WriteFile(strings.TrimSuffix(name, ".json")+".json.new", []byte(`{"url":`), 0o666)
			return nil
		case 4:
			os.Remove(name)
			return nil
		}
		return os.WriteFile(name, b, 0o666)
	})
}

func live(t *testing.T, seed uint64) {
	draw := rand.New(rand.NewPCG(seed, 17))
	w := newWorld(draw)
	top := inMemoryDir(t)
	l := &life{T: t, world: w, seed: seed, dir: filepath.Join(top, "dir"), out: filepath.Join(top, "out"), items: w.list()}
	if w.odds(4) {
		l.most = int64(40_000 + draw.IntN(80_000))
	}
	any := func() time.Duration { return time.Duration(draw.Int64N(int64(40 * time.Second))) }
	for range 1 + draw.IntN(6) {
		c := Config{
			Concurrency: 1 + draw.IntN(5), PerHost: 1 + draw.IntN(3), Attempts: 1 + draw.IntN(4), Window: 1 + draw.IntN(12),
			Stall: 2 * time.Second, Timeout: 10 * time.Second, Grace: time.Duration(1 + draw.IntN(int(5*time.Second))), Patience: 20 * time.Second,
			MaxBackoff: time.Second,
		}
		if w.odds(3) {
			c.Hedge = 50 * time.Millisecond
		}
		if w.odds(6) {
			c.MaxFailures = 1 + draw.IntN(4)
		}
		if w.odds(6) {
			c.MaxTime = any()
		}
		if w.odds(6) {
			c.HostRate = 2
		}
		stop, cancel := any(), any()
		if w.odds(3) {
			stop, cancel = 24*time.Hour, 48*time.Hour
		}
		l.run(c, JournalConfig{RetryFailed: w.odds(4)}, stop, cancel)
		l.crash()
	}
	w.calm = true
	for _, retry := range []bool{false, true} {
		if _, err := l.run(Config{Attempts: 3}, JournalConfig{RetryFailed: retry}, 24*time.Hour, 48*time.Hour); err != nil {
			l.fail("the last run ended with %v", err)
		}
	}
	for _, r := range l.records() {
		if !r.OK {
			switch r.Error.Kind {
			case KindInvalid, KindChecksum:
			case KindTooLarge:
				if l.most == 0 {
					l.fail("%+v: %v", r, r.Error)
				}
			default:
				l.fail("%+v: %v", r, r.Error)
			}
			continue
		}
		for _, end := range []string{".part", ".part.json", ".part.json.new"} {
			if _, err := os.Stat(r.Path + end); err == nil && r.Path != "" {
				l.fail("%s is left", r.Path+end)
			}
		}
	}
}

// Whatever servers, stops and crashes do: every item gets one result, what has one is not asked for again, the numbers add up, and no file is anything but
// one body from its first byte to its last.
func TestRandomLives(t *testing.T) {
	defer func(at, worth int64) { checkpointAt, worthwhile = at, worth }(checkpointAt, worthwhile)
	checkpointAt, worthwhile = 16<<10, 1<<10
	first, n := uint64(1), 60
	if s := os.Getenv("SEED"); s != "" {
		fmt.Sscan(s, &first, &n)
	}
	for i := range n {
		if live(t, first+uint64(i)); t.Failed() {
			return
		}
	}
}
