package chaos

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"time"
)

// A listener makes the server know every connection it accepts. net/http keeps such a list too, but
// drops what is hijacked, and most faults hijack.
type listener struct {
	net.Listener
	s *Server
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := &conn{Conn: c, s: l.s}
	l.s.mu.Lock()
	closed := l.s.closed
	if !closed {
		l.s.conns[t] = struct{}{}
		l.s.totals.Conns++
	}
	l.s.mu.Unlock()
	if closed {
		c.Close()
		return nil, net.ErrClosed
	}
	return t, nil
}

type conn struct {
	net.Conn
	s *Server
}

func (c *conn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

// SetLinger passes on what sever asks for.
func (c *conn) SetLinger(seconds int) error {
	if l, ok := c.Conn.(lingerer); ok {
		return l.SetLinger(seconds)
	}
	return nil
}

// A lingerer is a connection that can be made to reset when closed: TCP's, and those of a Pipe.
type lingerer interface{ SetLinger(seconds int) error }

// connState counts the goroutines that net/http runs connections in, for Close to wait for. A
// hijacked connection's goroutine is that of its handler, which is counted by itself.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.work.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.work.Done()
	}
}

// wait waits for d, or forever, and reports whether nobody left before that.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	var fired <-chan time.Time
	if d != forever {
		t := time.NewTimer(d)
		defer t.Stop()
		fired = t.C
	}
	select {
	case <-fired:
		return ctx.Err() == nil && s.ctx.Err() == nil
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

// hijackable reports whether the connection under w can be had, without taking it.
func hijackable(w http.ResponseWriter) bool {
	for {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}

// sever ends the connection under w, by a reset or a plain close, with whatever has been sent so far.
func (s *Server) sever(w http.ResponseWriter, reset bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		// net/http's own way to end a stream without an answer, whatever the protocol.
		panic(http.ErrAbortHandler)
	}
	if l, ok := c.(lingerer); ok && reset {
		l.SetLinger(0)
	}
	c.Close()
}

// release leaves the client with a whole answer and a connection that looks well but is not: it is
// closed at once, or under the next request, which is read, counted and never answered.
func (s *Server) release(o *shaper, next bool) {
	if !o.flush() {
		next = false
	}
	c, rw, err := http.NewResponseController(o).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer c.Close()
	if !next {
		return
	}
	// A server of somebody else's does not close this connection for us.
	closed := make(chan struct{})
	stop := context.AfterFunc(s.ctx, func() {
		defer close(closed)
		c.Close()
	})
	s.drop(rw.Reader)
	if !stop() {
		<-closed
	}
}

// drop reads the request that will not be answered.
func (s *Server) drop(from *bufio.Reader) {
	r, err := http.ReadRequest(from)
	if err != nil {
		return // the client closed its idle connection, as it may
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.arrive(r.Host, r.URL, time.Now(), s.cfg.Grace)
	s.totals.Faults["dropped"]++
}
