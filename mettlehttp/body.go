package mettlehttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// upload gives each attempt of a call the request's body from its beginning, and sees to it that the request's own is closed.
type upload struct {
	req   *http.Request
	taken atomic.Bool // the request's own body is an attempt's, which closes it
	kept  *recording  // where the request has no GetBody
}

func (u *upload) init(req *http.Request, max int) {
	u.req = req
	if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
		u.kept = &recording{body: req.Body, max: max}
	}
}

// open returns the body of the next attempt.
func (u *upload) open() (io.ReadCloser, error) {
	switch {
	case u.req.Body == nil || u.req.Body == http.NoBody:
		return u.req.Body, nil
	case u.kept != nil:
		return u.kept.open(), nil
	case !u.taken.Swap(true):
		return u.req.Body, nil
	}
	body, err := u.req.GetBody()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBody, err)
	}
	return body, nil
}

// lost reports whether the body cannot be sent again because too much of it was read.
func (u *upload) lost() bool { return u.kept != nil && u.kept.lost.Load() }

// broken reports whether it was the body itself that failed.
func (u *upload) broken() bool { return u.kept != nil && u.kept.broken.Load() }

// finish hears that there will be no further attempt.
func (u *upload) finish() {
	switch {
	case u.req.Body == nil:
	case u.kept != nil:
		u.kept.finish()
	case !u.taken.Swap(true):
		u.req.Body.Close()
	}
}

// errClosed is what a transport gets that reads a body which it has closed.
var errClosed = errors.New("mettlehttp: read of a closed request body")

// A recording remembers the beginning of a body while it is sent, and gives it again. Nothing is read ahead, so that a body which is still being
// written is sent as it comes.
type recording struct {
	body   io.ReadCloser
	max    int
	lost   atomic.Bool // more was read than is remembered
	broken atomic.Bool // its Read failed

	reading sync.Mutex // held while the body is read: a former attempt may still be at it
	data    []byte     // of the beginning
	pos     int64      // bytes read of the body
	end     error      // how the body ended

	mu      sync.Mutex
	current *reading // the latest
	over    bool     // nobody else will read
	closed  bool
}

func (r *recording) open() io.ReadCloser {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = &reading{of: r}
	return r.current
}

func (r *recording) finish() {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.settle()
}

// settle closes the body when nobody needs it any more. An attempt that has brought its answer may still be sending.
func (r *recording) settle() {
	r.mu.Lock()
	closing := r.over && !r.closed && (r.current == nil || r.current.closed.Load())
	r.closed = r.closed || closing
	r.mu.Unlock()
	if closing {
		r.body.Close() // without the lock: it may wait for a Read that is under way
	}
}

// A reading is the body of one attempt.
type reading struct {
	of     *recording
	at     int64
	closed atomic.Bool
}

func (b *reading) Read(p []byte) (int, error) {
	r := b.of
	r.reading.Lock()
	defer r.reading.Unlock()
	switch {
	case b.closed.Load():
		return 0, errClosed
	case len(p) == 0:
		return 0, nil
	case b.at < r.pos:
		if r.lost.Load() {
			return 0, fmt.Errorf("%w: more than %d bytes of it were read", ErrBody, r.max)
		}
		n := copy(p, r.data[b.at:])
		b.at += int64(n)
		return n, nil
	case r.end != nil:
		return 0, r.end
	}
	n, err := r.body.Read(p)
	r.pos += int64(n)
	b.at = r.pos
	r.end = err
	if err != nil && err != io.EOF {
		r.broken.Store(true)
	}
	if r.pos > int64(r.max) {
		r.lost.Store(true)
		r.data = nil
	} else {
		r.data = append(r.data, p[:n]...)
	}
	return n, err
}

func (b *reading) Close() error {
	if !b.closed.Swap(true) {
		b.of.settle()
	}
	return nil
}
