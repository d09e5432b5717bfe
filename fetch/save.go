package fetch

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mettle-go/mettle/internal/httprule"
)

var (
	errLost     = errors.New("what was there of the body is gone")
	errForeign  = errors.New("not the note of this part")
	errBodyLong = errors.New("the body is longer than announced")
	errMissing  = errors.New("the answer has only a part of what is missing")
	errMismatch = errors.New("the rest does not fit what came before: it is asked for as a whole again")
)

// forward is by how many bytes an attempt has to bring a body forward to be worth an attempt more.
const forward = 1 << 20

// A refusedError says that the server refuses to give the rest of a body, by an answer that is not 416.
type refusedError struct{ status int }

func (e *refusedError) Error() string {
	return statusFailure(e.status).Message + ", asked for the rest: it is asked for as a whole again"
}

// refusesRest reports whether such an answer may mean no more than that a Range is not welcome, so that it is worth to ask once for the whole. Those left
// out speak of the resource itself, or of who asks.
func refusesRest(code int) bool {
	switch code {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusNotFound, http.StatusProxyAuthRequired, http.StatusGone,
		http.StatusUnavailableForLegalReasons:
		return false
	}
	return code/100 == 4 && !httprule.Passing(code)
}

// A sizeError says that a body is larger than allowed.
type sizeError struct{ most int64 }

func (e *sizeError) Error() string {
	return fmt.Sprintf("the body is larger than the %d bytes allowed", e.most)
}

// A sumError says that a body is another one than expected.
type sumError struct {
	got, want string
	again     bool // for the second time
}

func (e *sumError) Error() string {
	return fmt.Sprintf("the SHA-256 of the body is %s, want %s", e.got, e.want)
}

// partOf returns the part for the item's body.
func (f *run) partOf(it Item) *part {
	return &part{
		store: f.store, total: -1,
		whole: it.plain() && f.cfg.Header.Get("Range") == "" && f.cfg.Header.Get("If-Range") == "",
	}
}

// plain reports whether the item asks for the whole of a body by GET.
func (it Item) plain() bool {
	for name := range it.Header {
		if strings.EqualFold(name, "Range") || strings.EqualFold(name, "If-Range") {
			return false
		}
	}
	return it.Method == "" || it.Method == http.MethodGet
}

// ask adds to req the question for the rest, if that is to be had where req goes. Redirects may lead elsewhere.
func (l *leg) ask(req *http.Request) *http.Request {
	if l.plain || l.extra {
		return req // and the part, if there is one, may be the other request's by now
	}
	p := l.task.part
	l.plain = p == nil || !p.resumable()
	if l.race != nil {
		l.race.rest.Store(!l.plain)
		l.race.sent.Store(true)
	}
	if l.asked = !l.plain && p.validator.resource(req.URL) == p.resource; !l.asked {
		return req
	}
	req = req.Clone(req.Context()) // a RoundTripper must not change the request, and a redirect would take the fields along
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
	req.Header.Set("If-Range", p.validator.ifRange())
	return req
}

// receive reads the body of a good answer to its end. If that was the end of the body, and all is as it should be, the body is ready to be saved, and
// in l is what it was. Otherwise it returns why not, and what is of use to the next attempt is kept.
func (f *run) receive(l *leg, resp *http.Response, body watched) error {
	p := l.task.part
	if p == nil {
		p = new(part)
	}
	err := f.fill(l, p, resp, body)
	if err == nil {
		err = f.conclude(l, p)
	}
	if err == nil {
		return nil
	}
	if _, large := errors.AsType[*sizeError](err); large {
		return errors.Join(p.drop(), err)
	}
	p.validate()
	if p.resumable() && p.size >= p.best+forward {
		l.progress = true
	}
	p.best = max(p.best, p.size)
	if serr := p.suspend(); serr != nil {
		return errors.Join(err, serr)
	}
	return err
}

// fill appends what the answer brings to p, until p has all of the body.
func (f *run) fill(l *leg, p *part, resp *http.Response, body watched) error {
	until, err := p.begin(l, resp)
	if err != nil {
		return err
	}
	most := f.cfg.MaxSize
	if most > 0 && max(until, p.total) > most {
		return &sizeError{most}
	}
	buf := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buf)
	n := 0
	for {
		m, rerr := body.Read((*buf)[n:])
		n += m
		l.bytes += int64(m)
		if most > 0 && p.size+int64(n) > most {
			return &sizeError{most}
		}
		if rerr != nil || n == len(*buf) {
			body.pause()
			if err := p.write((*buf)[:n]); err != nil {
				return err
			}
			n = 0
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if errors.Is(rerr, io.ErrUnexpectedEOF) {
			return errBodyShort
		}
		if rerr != nil {
			return rerr
		}
	}
	switch {
	case until >= 0 && p.size < until:
		return errBodyShort
	case until >= 0 && p.size > until:
		p.validator, p.answer = validator{}, nil // whatever that was, it is nothing to go on from
		return errBodyLong
	case l.asked && resp.StatusCode == http.StatusPartialContent && p.size != p.total:
		return errMissing
	}
	// A body of HTTP/1 with neither length nor chunks ends where the connection does, whatever the reason.
	l.complete = until >= 0 || len(resp.TransferEncoding) > 0 || resp.ProtoMajor > 1
	return nil
}

// begin prepares p for the body of the answer. It returns how many bytes p has to have at the end of that, or -1.
func (p *part) begin(l *leg, resp *http.Response) (int64, error) {
	if l.asked && resp.StatusCode == http.StatusPartialContent {
		r, ok := parseRange(resp.Header.Get("Content-Range"))
		fits := ok && r.first == p.size && (r.total < 0 || p.total < 0 || r.total == p.total) && p.validator.same(resp.Header)
		if length := resp.ContentLength; !fits || length >= 0 && length != r.last+1-r.first {
			return 0, p.mismatch()
		}
		p.total = max(p.total, r.total)
		err := p.reopen()
		if errors.Is(err, errLost) {
			err = errors.Join(err, p.drop())
		}
		return r.last + 1, err
	}
	if err := p.create(); err != nil {
		return 0, err
	}
	if l.task.item.Method == http.MethodHead {
		return 0, nil // the length is that of another answer
	}
	p.total = resp.ContentLength
	if resp.StatusCode == http.StatusOK && p.whole && !resp.Uncompressed {
		p.answer = resp
	}
	return p.total, nil
}

// validate finds the validator of the body, for which most bodies have no use: they come in one piece.
func (p *part) validate() {
	if p.answer != nil {
		p.validator = validatorOf(p.answer.Header)
		p.resource = p.validator.resource(p.answer.Request.URL)
		p.answer = nil
	}
}

// mismatch drops the part, which is not of what the server has now.
func (p *part) mismatch() error { return errors.Join(errMismatch, p.drop()) }

// beyond takes the answer that there is nothing behind what is here of the body: either that was all, or it is another body now.
func (f *run) beyond(l *leg, resp *http.Response) error {
	p := l.task.part
	r, ok := parseRange(resp.Header.Get("Content-Range"))
	if !ok || r.first >= 0 || r.total != p.size || p.total >= 0 && p.total != p.size || !p.validator.same(resp.Header) {
		return p.mismatch()
	}
	if most := f.cfg.MaxSize; most > 0 && p.size > most { // which an earlier run had room for
		return errors.Join(p.drop(), &sizeError{most})
	}
	if err := p.reopen(); err != nil {
		return errors.Join(err, p.drop())
	}
	l.complete = true
	if err := f.conclude(l, p); err != nil {
		return errors.Join(err, p.suspend())
	}
	return nil
}

// conclude checks the body that p has, and says in l what it is.
func (f *run) conclude(l *leg, p *part) error {
	t := l.task
	sum := hex.EncodeToString(p.sum.Sum(nil))
	if want := t.item.SHA256; want != "" && !strings.EqualFold(want, sum) {
		err := &sumError{got: sum, want: want, again: t.mistaken}
		t.mistaken = true
		return errors.Join(err, p.drop())
	}
	if p.file != nil && p.size-p.synced >= large {
		if err := p.sync(); err != nil {
			return err
		}
		p.safe = true
	}
	l.size = p.size
	l.whole, l.sum, l.path = true, sum, p.path
	return nil
}

// resume finds out where the body belongs, and what earlier runs left of it.
func (f *run) resume(ctx context.Context, t *task) error {
	p := t.part
	if p == nil {
		return nil
	}
	if p.path == "" {
		u, err := url.Parse(t.item.URL)
		if err != nil {
			return err
		}
		p.path, p.url = filepath.Join(f.store.dir, bodyPath(t.item, u)), t.item.URL
	}
	if p.sought || p.exists || f.store.pristine(filepath.Dir(p.path)) {
		return nil
	}
	if !p.whole {
		p.sought, p.litter = true, true
		return nil
	}
	buf := f.buffers.Get().(*[]byte)
	defer f.buffers.Put(buf)
	return p.find(ctx, *buf)
}
