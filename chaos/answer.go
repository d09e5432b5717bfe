package chaos

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// forever, as a time to be silent, lasts until the client leaves or the server closes.
const forever = time.Duration(-1)

type bodyKind uint8

const (
	page    bodyKind = iota // a small text that says what this is
	whole                   // the good answer's, with Content-Length and ranges
	endless                 // chunked, without end
)

// An ending is what happens after the last byte that is sent.
type ending uint8

const (
	endWell    ending = iota
	endReset          // reset the connection
	endClose          // close it cleanly
	endSilence        // send nothing more until the client leaves
	endIdle           // close it under the client's idle pool
	endNext           // close it when the next request arrives on it
)

// An answer says everything about one reply before a byte of it is sent. The table makes them, the
// server plays them and the oracle reads them, so the three cannot disagree.
type answer struct {
	fault      string // the key in Stats.Faults; "" is the row's name
	status     int    // 0: nothing is sent at all
	silence    time.Duration
	location   string
	date       string
	retryAfter string
	retryIn    time.Duration // how long a client that obeys retryAfter waits
	period     int64         // of the hold that this answer announces; 0 for none
	body       bodyKind
	content    content
	ctype      string
	text       string // of a page; "" is the small page about the status
	chunked    bool
	cutAt      int64 // bytes after which a cut answer ends; -1: by draw
	draw       uint64
	drip       time.Duration
	pieces     int64
	end        ending
}

// cut reports whether the end comes before the body's.
func (a *answer) cut() bool { return a.end == endReset || a.end == endClose || a.end == endSilence }

// well reports whether a client, patient and correct, has the whole good body after this answer.
func (a *answer) well() bool {
	return a.status == http.StatusOK && a.body == whole && a.silence != forever && !a.cut()
}

// rough reports whether playing the answer needs the connection itself.
func (a *answer) rough() bool {
	return a.end != endWell || a.silence != 0 || a.body == endless || a.drip != 0
}

// play sends the answer. It returns once the client has it, has left, or the server closes.
func (s *Server) play(w http.ResponseWriter, r *http.Request, t *ticket, a answer) {
	out := &shaper{ResponseWriter: w, s: s, r: r, t: t, a: &a, cutAfter: -1}
	if a.rough() && !hijackable(w) {
		a = answer{status: http.StatusNotImplemented, body: page, ctype: "text/plain; charset=utf-8",
			text: "chaos: this fault needs a connection that can be hijacked, which is HTTP/1\n"}
	}
	if a.status == 0 {
		s.sever(w, a.end == endReset)
		return
	}
	if a.silence != 0 && !s.wait(r.Context(), a.silence) {
		s.sever(w, false)
		return
	}
	out.headers()
	switch a.body {
	case page:
		out.page()
	case whole:
		out.whole()
	case endless:
		out.endless()
		return
	}
	switch {
	case out.gone:
		s.sever(w, false)
	case a.end == endIdle || a.end == endNext:
		s.release(out, a.end == endNext)
	case out.struck && a.end == endSilence:
		s.wait(r.Context(), forever)
		s.sever(w, false)
	case out.struck:
		s.sever(w, a.end == endReset)
	}
}

// A shaper is the ResponseWriter that a good answer is written through on its way to becoming a bad
// one: it cuts, drips and takes note of what was really sent.
type shaper struct {
	http.ResponseWriter
	s        *Server
	r        *http.Request
	t        *ticket
	a        *answer
	cutAfter int64 // bytes left until the cut; -1: no cut
	piece    int64 // bytes at a time; 0: as they come
	filled   int64 // bytes already sent of this piece
	struck   bool  // the cut has been reached
	gone     bool  // the client left
}

// Unwrap lets http.ResponseController reach the connection.
func (o *shaper) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *shaper) headers() {
	h := o.Header()
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("Content-Type", o.a.ctype)
	set("Date", o.a.date)
	set("Location", o.a.location)
	set("Retry-After", o.a.retryAfter)
}

func (o *shaper) page() {
	text := o.a.text
	if text == "" {
		name := http.StatusText(o.a.status)
		if name == "" {
			name = "A Status Without A Name"
		}
		o.Header().Set("Content-Type", "text/html; charset=utf-8")
		text = fmt.Sprintf("<!doctype html>\n<title>%d %s</title>\n<h1>%[1]d %[2]s</h1>\n<p>A page of the chaos server, not what was asked for.</p>\n",
			o.a.status, name)
	}
	o.Header().Set("Content-Length", strconv.Itoa(len(text)))
	o.WriteHeader(o.a.status)
	o.Write([]byte(text))
	if o.a.period != 0 && http.NewResponseController(o).Flush() == nil {
		o.t.announce(o.a.period)
	}
}

// whole serves the good body through net/http, which knows ranges and preconditions.
func (o *shaper) whole() {
	r := o.r
	if strings.Contains(r.Header.Get("Range"), ",") {
		// Several ranges would come as multipart with a random boundary. A server may ignore them.
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	o.Header().Set("ETag", o.a.content.etag())
	http.ServeContent(o, r, "", time.Time{}, o.a.content.reader())
}

// endless writes until the client leaves. The pause keeps one such URL from filling a core, and lets
// the clock of a synctest bubble, which stands still while anybody is busy, reach the client's timeout.
func (o *shaper) endless() {
	o.WriteHeader(o.a.status)
	if o.r.Method == http.MethodHead {
		return
	}
	buf := make([]byte, 16<<10)
	for off := int64(0); ; off += int64(len(buf)) {
		o.a.content.fill(buf, off)
		if _, err := o.Write(buf); err != nil || !o.flush() || !o.s.wait(o.r.Context(), time.Millisecond) {
			o.s.sever(o, false)
			return
		}
	}
}

func (o *shaper) flush() bool { return http.NewResponseController(o.ResponseWriter).Flush() == nil }

// WriteHeader learns the length of this answer, which may be a range, before it is sent.
func (o *shaper) WriteHeader(status int) {
	o.t.status(status)
	total, err := strconv.ParseInt(o.Header().Get("Content-Length"), 10, 64)
	if err == nil && o.a.body == whole && status < 300 && o.r.Method != http.MethodHead {
		if o.a.cut() && total > 0 {
			o.cutAfter = min(o.a.cutAt, total-1)
			if o.a.cutAt < 0 {
				o.cutAfter = cutPoint(o.a.draw, total)
			}
		}
		if o.a.drip > 0 {
			o.piece = (total + o.a.pieces - 1) / o.a.pieces
		}
		if o.a.chunked {
			o.Header().Del("Content-Length")
		}
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write sends p, or what of it comes before the cut. Its errors end http.ServeContent and are seen by
// nobody else.
func (o *shaper) Write(p []byte) (int, error) {
	sent := 0
	for len(p) > 0 && !o.gone && !o.struck {
		n := int64(len(p))
		if o.piece > 0 {
			if o.filled == 0 && !(o.flush() && o.s.wait(o.r.Context(), o.a.drip/time.Duration(o.a.pieces))) {
				o.gone = true
				break
			}
			n = min(n, o.piece-o.filled)
			o.filled = (o.filled + n) % o.piece
		}
		if o.cutAfter >= 0 {
			n = min(n, o.cutAfter)
			o.cutAfter -= n
			o.struck = o.cutAfter == 0
		}
		m, err := o.ResponseWriter.Write(p[:n])
		sent += m
		p = p[n:]
		o.gone = err != nil || o.struck && !o.flush()
	}
	if o.struck || o.gone {
		return sent, http.ErrAbortHandler
	}
	return sent, nil
}
