package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A world is all the servers of a scenario, and the way to them. What a host does is in its name, what it serves in the path: a body has the same
// bytes wherever it comes from. It notes whoever breaks a rule.
type world struct {
	c       Config
	begin   time.Time
	outage  [2]time.Duration // from and to when no host can be reached
	updown  [2]time.Duration // the same for the hosts of that name
	mu      sync.Mutex
	draw    *rand.Rand
	hosts   map[string]*worldHost
	running int
	open    int // bodies
	starts  []time.Time
	faults  []string // rules that were broken
}

type worldHost struct {
	running  int
	from, to time.Time // of the hold that the last answer asked for
	answers  int
	failed   map[string]int // how often, by path
	recent   []time.Time    // answers of the last second
	starts   []time.Time
}

var worldKinds = []string{
	"good", "good", "good", "slow", "dead", "gone", "dark", "busy", "never", "held", "cut", "flaky", "moving", "missing", "broken", "updown", "odd",
	"healing", "picky", "fickle", "ping", "pong", "resting",
}

func (w *world) fault(format string, args ...any) {
	if len(w.faults) < 10 {
		w.faults = append(w.faults, fmt.Sprintf("after %v: ", time.Since(w.begin))+fmt.Sprintf(format, args...))
	}
}

var worldSeed = maphash.MakeSeed()

// worldBody is what every host has at that path.
func worldBody(path string) []byte {
	size, _ := strconv.Atoi(path[strings.LastIndexByte(path, '-')+1:])
	return bytes.Repeat([]byte(path+"\n"), size/(len(path)+1)+1)[:size]
}

func worldSum(path string) string {
	sum := sha256.Sum256(worldBody(path))
	return hex.EncodeToString(sum[:])
}

// tooDense reports whether the last of the starts came sooner than the rate, and a grain of time, allow.
func tooDense(starts []time.Time, rate float64) bool {
	n := min(len(starts)-1, 30)
	took := starts[len(starts)-1].Sub(starts[len(starts)-1-n])
	return rate > 0 && took < time.Duration(n)*interval(rate)-grain
}

// chance is true with that probability. The caller has the lock.
func (w *world) chance(p float64) bool { return w.draw.Float64() < p }

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	name := r.URL.Hostname()
	kind := strings.TrimRight(strings.TrimSuffix(name, ".test"), "0123456789")
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.URL.Scheme != "http" {
		return nil, errors.New("unsupported protocol scheme")
	}
	h := w.hosts[r.URL.Host]
	if h == nil {
		h = new(worldHost)
		w.hosts[r.URL.Host] = h
	}
	w.running++
	h.running++
	w.starts, h.starts = append(w.starts, now), append(h.starts, now)
	done := func() { w.running--; h.running-- }
	switch {
	case tooDense(w.starts, w.c.Rate), tooDense(h.starts, w.c.HostRate):
		w.fault("%s is asked too soon after others", r.URL)
	case h.running > w.c.PerHost:
		w.fault("%d requests run at %s", h.running, name)
	case w.running > w.c.Concurrency:
		w.fault("%d requests run", w.running)
	case now.After(h.from) && now.Before(h.to):
		w.fault("%s is asked %v before its hold ends, which began %v ago", name, h.to.Sub(now), now.Sub(h.from))
	}
	fail := func(err error) (*http.Response, error) { done(); return nil, err }
	dial := func(err error) (*http.Response, error) {
		return fail(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)})
	}
	// nap gives the lock back for d, and returns false if the request was canceled meanwhile.
	nap := func(d time.Duration) bool {
		w.mu.Unlock()
		defer w.mu.Lock()
		return napped(r, d)
	}
	at := now.Sub(w.begin)
	if at >= w.outage[0] && at < w.outage[1] {
		switch w.draw.IntN(3) {
		case 0:
			return dial(syscall.ENETUNREACH)
		case 1:
			return fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}})
		default:
			nap(time.Duration(w.draw.IntN(5)) * time.Second)
			return fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "timeout", Name: name, IsTimeout: true}})
		}
	}
	latency := time.Duration(w.draw.ExpFloat64() * float64(50*time.Millisecond))
	switch kind {
	case "slow":
		latency = time.Duration(w.draw.IntN(60)) * time.Second
	case "dead":
		nap(time.Duration(w.draw.IntN(3)) * time.Millisecond)
		return dial(syscall.ECONNREFUSED)
	case "gone":
		return fail(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}})
	case "dark":
		nap(time.Hour)
		return fail(r.Context().Err())
	case "updown":
		if at >= w.updown[0] && at < w.updown[1] {
			return dial(syscall.ECONNREFUSED)
		}
	}
	if !nap(latency) {
		return fail(r.Context().Err())
	}
	now = time.Now()
	code, header := 200, http.Header{"Date": {now.UTC().Format(http.TimeFormat)}}
	body := worldBody(r.URL.Path)
	end := io.EOF
	pause := time.Duration(0)
	h.answers++
	hold := func(d time.Duration) {
		header.Set("Retry-After", strconv.Itoa(int(d/time.Second)))
		if until := now.Add(d); d <= w.c.MaxHint && until.After(h.to) {
			if !now.Before(h.to) {
				h.from = now
			}
			h.to = until
		}
	}
	switch kind {
	case "busy": // more than 2 at a time or 10 a second
		for len(h.recent) > 0 && now.Sub(h.recent[0]) > time.Second {
			h.recent = h.recent[1:]
		}
		if h.recent = append(h.recent, now); h.running > 2 || len(h.recent) > 10 {
			code = 429
		}
	case "never":
		code = 429
	case "picky": // about some URLs
		if crc32.ChecksumIEEE([]byte(r.URL.Path))%8 == 0 {
			code = 429
		}
	case "fickle":
		if w.chance(0.2) {
			code = 429
		}
	case "resting":
		if w.chance(0.3) {
			code = []int{429, 503}[w.draw.IntN(2)]
			hold(time.Duration(1+w.draw.IntN(20)) * time.Second)
		}
	case "healing": // each URL by itself
		if h.failed == nil {
			h.failed = make(map[string]int)
		}
		if nature := crc32.ChecksumIEEE([]byte(r.URL.Path)); h.failed[r.URL.Path] < int(nature%5) {
			h.failed[r.URL.Path]++
			if nature>>16%2 == 0 {
				return fail(io.ErrUnexpectedEOF)
			}
			code = 500
		}
	case "ping", "pong": // to and fro
		if w.chance(0.6) {
			code = 302
			header.Set("Location", fmt.Sprintf("http://%s%d.test%s", map[string]string{"ping": "pong", "pong": "ping"}[kind], w.draw.IntN(3), r.URL.Path))
		}
	case "held":
		if h.answers%40 == 1 {
			code = []int{429, 503}[w.draw.IntN(2)]
			hold(time.Duration(1+w.draw.IntN(90)) * time.Second)
		}
	case "missing":
		code = 404
	case "broken":
		code = 500
	case "flaky":
		switch w.draw.IntN(8) {
		case 0:
			return fail(&net.OpError{Op: "read", Err: syscall.ECONNRESET})
		case 1:
			code = 502
		case 2:
			code = 503
			hold(time.Duration(w.draw.IntN(800)) * time.Second)
		case 3:
			pause = time.Minute
		}
	case "moving":
		code = []int{301, 302, 307}[w.draw.IntN(3)]
		to := worldKinds[w.draw.IntN(len(worldKinds))]
		header.Set("Location", fmt.Sprintf("http://%s%d.test%s", to, w.draw.IntN(3), r.URL.Path))
		if w.chance(0.1) {
			header.Set("Location", []string{"http://[", "::", "ftp://a.test/", "", "//", "http://" + strings.Repeat("a", 300) + ".test" + r.URL.Path}[w.draw.IntN(6)])
		}
	case "odd":
		code = []int{200, 206, 206, 416, 101, 999, 204, 304, 503, 429, 200}[w.draw.IntN(11)]
		header.Set("Content-Range", []string{"", "bytes */5", "bytes 0-5/3", "bytes 9223372036854775807-9223372036854775807/9223372036854775807", "bytes -1-2/3", "bytes 0-18446744073709551615/*"}[w.draw.IntN(6)])
		if code == 503 || code == 429 {
			header.Set("Retry-After", []string{"99999999999999999999", "-1", "Fri, 31 Dec 9999 23:59:59 GMT", "x", "0"}[w.draw.IntN(5)])
		}
		header.Set("ETag", []string{`"`, `W/"1"`, "\x80", `""`, `"a"`}[w.draw.IntN(5)])
	}
	length := int64(-1)
	if code == 200 {
		header.Set("ETag", `"`+strconv.FormatUint(maphash.String(worldSeed, r.URL.Path), 16)+`"`)
		if kind == "cut" && w.chance(0.7) && len(body) > 0 {
			end = io.ErrUnexpectedEOF
		}
		length = int64(len(body))
		if ask := r.Header.Get("Range"); ask != "" && kind != "odd" {
			if r.Header.Get("If-Range") != header.Get("ETag") {
				w.fault("the rest of %s is asked for with If-Range %s", r.URL, r.Header.Get("If-Range"))
			}
			from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(ask, "bytes="), "-"))
			if err != nil || from > len(body) {
				w.fault("%s is asked for %s of %d", r.URL, ask, len(body))
				from = len(body)
			}
			if code = 206; from == len(body) {
				code = 416
				header.Set("Content-Range", fmt.Sprintf("bytes */%d", len(body)))
			} else {
				header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
			}
			body = body[from:]
			length = int64(len(body))
		}
		if end != io.EOF {
			body = body[:w.draw.IntN(len(body)+1)]
		}
	} else {
		body = []byte(http.StatusText(code))
	}
	if r.Method == http.MethodHead {
		body, end = nil, io.EOF
	}
	w.open++
	return &http.Response{
		StatusCode: code, Status: strconv.Itoa(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: r,
		ContentLength: length, Body: &worldBytes{w: w, r: r, left: body, end: end, pause: pause, done: done},
	}, nil
}

// napped waits for d, and returns false if r is canceled before.
func napped(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return r.Context().Err() == nil
	case <-r.Context().Done():
		return false
	}
}

// worldBytes is a body on its way.
type worldBytes struct {
	w     *world
	r     *http.Request
	left  []byte
	end   error
	pause time.Duration // once, before the first byte
	done  func()
}

func (b *worldBytes) Read(p []byte) (int, error) {
	if b.pause > 0 && !napped(b.r, b.pause) {
		return 0, b.r.Context().Err()
	}
	b.pause = 0
	if b.r.Context().Err() != nil {
		return 0, b.r.Context().Err()
	}
	if len(b.left) == 0 {
		return 0, b.end
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

func (b *worldBytes) Close() error {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if b.done == nil {
		return errors.New("closed before")
	}
	b.w.open--
	b.done()
	b.done = nil
	return nil
}
