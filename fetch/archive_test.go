package fetch

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A page is what a URL of an archive has: bodies that take each other's place, all of one length or not.
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

// An archive is a few hosts that do as they like until they are calm. Then they are good.
type archive struct {
	mu    sync.Mutex
	draw  *rand.Rand
	pages map[string]*page // by host and path
	names []string
	whole map[string]bool // the sums of all bodies
	calm  bool
	asked map[string]int // in this run, by the field X-Item
}

func newArchive(draw *rand.Rand) *archive {
	a := &archive{draw: draw, pages: make(map[string]*page), whole: make(map[string]bool)}
	for i := range 2 + draw.IntN(6) {
		p := &page{validator: draw.IntN(validators)}
		size := 60_000
		for v := range 1 + draw.IntN(3) {
			if draw.IntN(3) == 0 {
				size = draw.IntN(150_000)
			}
			p.bodies = append(p.bodies, text(100*i+v+1, size))
			a.whole[sumOf(p.bodies[v])] = true
		}
		name := fmt.Sprintf("%c.test/%d.bin", 'a'+i%3, i)
		a.pages[name] = p
		a.names = append(a.names, name)
	}
	return a
}

// odds is true once in n times.
func (a *archive) odds(n int) bool { return a.draw.IntN(n) == 0 }

func (a *archive) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res, err := a.answer(r)
	if res == nil && err == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return res, err
}

// answer returns no answer and no error for a request that has none for ever.
func (a *archive) answer(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[r.Header.Get("X-Item")]++
	wild := !a.calm
	p := a.pages[r.URL.Host+r.URL.Path]
	if wild && p.at+1 < len(p.bodies) && a.odds(6) {
		p.at++
	}
	if wild {
		switch a.draw.IntN(24) {
		case 0:
			return nil, syscall.ECONNREFUSED
		case 1:
			return nil, syscall.ECONNRESET
		case 2:
			return answer(r, 503, "busy"), nil
		case 3:
			return answer(r, 429, "", "Retry-After", strconv.Itoa(a.draw.IntN(3))), nil
		case 4:
			return answer(r, 404, "none"), nil
		case 5, 6:
			return answer(r, 302, "", "Location", "http://"+a.names[a.draw.IntN(len(a.names))]), nil
		case 7:
			return answer(r, 416, "", "Content-Range", fmt.Sprintf("bytes */%d", a.draw.IntN(70_000))), nil
		case 8:
			return nil, nil
		}
	}
	return a.body(r, p, wild), nil
}

// body is the answer with the body, or with a part of it.
func (a *archive) body(r *http.Request, p *page, wild bool) *http.Response {
	res := answer(r, 200, "")
	p.header(res.Header)
	all := p.bodies[p.at]
	from, ranged := 0, false
	if asked, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok && !(wild && a.odds(8)) {
		from, _ = strconv.Atoi(strings.TrimSuffix(asked, "-"))
		is := r.Header.Get("If-Range")
		ranged = is == res.Header.Get("ETag") || is == res.Header.Get("Last-Modified") || wild && a.odds(4) // which is a lie that the header tells
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
			switch a.draw.IntN(16) {
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
	rest := &wildBody{ctx: r.Context(), a: a, rest: all[first : last+1]}
	res.Body, res.ContentLength = rest, int64(len(rest.rest))
	if a.odds(3) {
		res.ContentLength, res.TransferEncoding = -1, []string{"chunked"}
	}
	if r.Method == http.MethodHead {
		rest.rest = nil
	}
	if wild && a.odds(2) && len(rest.rest) > 0 {
		rest.rest, rest.err = rest.rest[:a.draw.IntN(len(rest.rest))], io.ErrUnexpectedEOF
		switch {
		case a.odds(4):
			rest.err = errStalled // until somebody gives up
		case a.odds(4) && (ranged || res.ContentLength >= 0):
			rest.err = nil // the header says how much there should be
		}
	}
	return res
}

// A wildBody comes in pieces, some of which take their time, in a synctest bubble.
type wildBody struct {
	ctx  context.Context
	a    *archive
	rest []byte
	err  error // at its end; nil: EOF
}

func (b *wildBody) Read(p []byte) (int, error) {
	b.a.mu.Lock()
	n, slow := 1+b.a.draw.IntN(40_000), b.a.odds(4)
	b.a.mu.Unlock()
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
func (a *archive) list() []Item {
	var items []Item
	page := func() string { return a.names[a.draw.IntN(len(a.names))] }
	for i := range 1 + a.draw.IntN(10) {
		name := page()
		it := Item{URL: "http://" + name + fmt.Sprintf("?%d", i), Header: map[string]string{"X-Item": strconv.Itoa(i)}}
		switch a.draw.IntN(12) {
		case 0:
			it.ID = "id"
		case 1:
			it.Method = "PUT"
		case 2:
			it.Method = "HEAD"
		case 3:
			it.URL = "ftp://a.test/"
		case 4, 5:
			it.SHA256 = sumOf(a.pages[name].bodies[0])
		case 6, 7, 8:
			for range 1 + a.draw.IntN(2) {
				it.Mirrors = append(it.Mirrors, "http://"+page())
			}
		case 9:
			if i > 0 {
				it = items[a.draw.IntN(i)]
			}
		}
		items = append(items, it)
	}
	return items
}
