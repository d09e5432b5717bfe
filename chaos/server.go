package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config says how a server misbehaves beyond what each URL says. The zero Config is ready to use.
type Config struct {
	// Seed decides every byte of every body and every point where one is cut. 0 is a seed like any other.
	Seed uint64
	// Grace is how long after a hold was announced requests may still arrive at the held host without
	// counting as violations: they may have been on their way. 0 means 250 ms.
	Grace time.Duration
}

const defaultGrace = 250 * time.Millisecond

// Validate reports what New would panic with.
func (c Config) Validate() error {
	if c.Grace < 0 {
		return fmt.Errorf("chaos: Config.Grace is %v, want 0 or more", c.Grace)
	}
	return nil
}

// ErrNotListening is what DialContext returns while the server has no listener.
var ErrNotListening = errors.New("chaos: not listening")

// A Server is the hostile server. Make it with [New]; use it as an http.Handler, or let it listen.
type Server struct {
	cfg    Config
	http   *http.Server
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // handlers, Serve calls and connections

	mu     sync.Mutex
	closed bool
	first  net.Listener
	conns  map[*conn]struct{} // hijacked ones too, which net/http forgets
	state  *state
	totals Stats // the fields that are not kept by host or URL
}

// New returns a server that does not listen yet. It panics if cfg is not valid. A server that is used in
// a synctest bubble is to be made in it.
func New(cfg Config) *Server {
	if err := cfg.Validate(); err != nil {
		panic(err.Error())
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	s := &Server{
		cfg:    cfg,
		conns:  make(map[*conn]struct{}),
		state:  newState(cfg.Seed),
		totals: Stats{Faults: make(map[string]int64), Status: make(map[int]int64)},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:     s,
		BaseContext: func(net.Listener) context.Context { return s.ctx },
		ConnState:   s.connState,
		ErrorLog:    log.New(io.Discard, "", 0), // clients that leave are the point, not news
	}
	return s
}

// maxRequestBody is how much of a request's body is read, and thrown away, before the answer.
const maxRequestBody = 1 << 20

// ServeHTTP answers one request, as its path and query say. Mounted in a server other than this one
// it works the same over HTTP/1; over HTTP/2, which cannot be hijacked, faults of the connection
// answer 501. Once the server is closed it hangs up on every request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := findOwn(r.URL.Path); p != nil {
		s.serveOwn(w, r, p)
		return
	}
	t, a, ok := s.begin(r)
	if !ok {
		s.sever(w, false)
		return
	}
	defer s.finish(t)
	// Until the request's body is read, net/http does not watch whether the client leaves.
	if n, _ := io.Copy(io.Discard, io.LimitReader(r.Body, maxRequestBody+1)); n > maxRequestBody {
		w.Header().Set("Connection", "close")
		a = note("", http.StatusRequestEntityTooLarge, fmt.Sprintf("chaos: request body is above %d bytes\n", maxRequestBody))
	}
	s.play(w, r, t, a)
}

func (s *Server) begin(r *http.Request) (*ticket, answer, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, answer{}, false
	}
	now := time.Now()
	s.state.arrive(r.Host, r.URL, now, s.cfg.Grace)
	a := s.state.decide(r.Host, r.URL, now)
	s.totals.Faults[a.fault]++
	s.work.Add(1)
	t := &ticket{s: s, h: s.state.host(strings.ToLower(r.Host))}
	t.h.Active++
	t.h.Peak = max(t.h.Peak, t.h.Active)
	return t, a, true
}

func (s *Server) finish(t *ticket) {
	s.mu.Lock()
	t.h.Active--
	s.mu.Unlock()
	s.work.Done()
}

// Start listens on a TCP address and serves it in the background. An empty address means
// "127.0.0.1:0": a free port of this machine. The error is that of net.Listen, or
// http.ErrServerClosed.
func (s *Server) Start(addr string) error {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return s.start(l)
}

// StartPipe serves a new in-memory listener in the background and returns it. It panics if the server
// is closed.
func (s *Server) StartPipe() *Pipe {
	p := NewPipe()
	if err := s.start(p); err != nil {
		panic("chaos: StartPipe on a closed Server")
	}
	return p
}

func (s *Server) start(l net.Listener) error {
	if !s.admit(l) {
		l.Close()
		return http.ErrServerClosed
	}
	go s.serve(l)
	return nil
}

// Serve answers the connections that l accepts until Close is called or l fails. It closes l. Its
// error is never nil; after Close it is http.ErrServerClosed. A server may serve several listeners.
func (s *Server) Serve(l net.Listener) error {
	if !s.admit(l) {
		l.Close()
		return http.ErrServerClosed
	}
	return s.serve(l)
}

// admit takes note of a listener before a goroutine serves it, so that Addr is known at once and
// Close has something to wait for.
func (s *Server) admit(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.first == nil {
		s.first = l
	}
	s.work.Add(1)
	return true
}

func (s *Server) serve(l net.Listener) error {
	defer s.work.Done()
	return s.http.Serve(&listener{Listener: l, s: s})
}

// Addr returns the address of the first listener, or "" if there was none.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		return ""
	}
	return s.first.Addr().String()
}

// URL returns the whole URL of a path such as "/ok?size=3" on the first listener. Without one, or on
// a pipe, the host is "chaos.test".
func (s *Server) URL(path string) string {
	host := s.Addr()
	if host == "" {
		host = pipeHost
	}
	return "http://" + host + path
}

// DialContext connects to this server's first listener, whatever host addr names: given to
// http.Transport, it lets one server play every host of the internet. It returns ErrNotListening if
// there is no listener.
func (s *Server) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	s.mu.Lock()
	l := s.first
	s.mu.Unlock()
	if l == nil {
		return nil, ErrNotListening
	}
	if d, ok := l.(interface {
		DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	}); ok {
		return d.DialContext(ctx, network, addr)
	}
	return new(net.Dialer).DialContext(ctx, l.Addr().Network(), l.Addr().String())
}

// Close ends every listener, connection and answer, and returns when their goroutines are done. It
// returns nil and may be called again. Calling it from a handler's goroutine would wait for itself.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	open := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	s.cancel()
	s.http.Close()
	for _, c := range open {
		c.Close() // net/http misses one that was accepted but not yet handed to it
	}
	s.work.Wait()
	return nil
}
