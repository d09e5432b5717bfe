package chaos

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Pipe is a network in memory: a net.Listener whose DialContext makes connections to it, for
// http.Transport's field of that name. Connections are those of net.Pipe, which works in
// testing/synctest bubbles: nothing of it waits for the operating system. A server that resets its
// end (SetLinger(0), then Close) makes reads of the other fail with ECONNRESET, as TCP does; unlike
// with TCP, what was sent before has then been received.
//
// Make it in the bubble that uses it. All methods may be called by any goroutine.
type Pipe struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

// NewPipe returns an open pipe.
func NewPipe() *Pipe {
	p := &Pipe{conns: make(chan net.Conn), done: make(chan struct{})}
	p.close = sync.OnceFunc(func() { close(p.done) })
	return p
}

// DialContext connects to the pipe, whatever the network and address say. It waits until the
// listener accepts, and fails with ctx's error, or with ECONNREFUSED once the pipe is closed.
func (p *Pipe) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	refused := &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: syscall.ECONNREFUSED}
	select {
	case <-p.done:
		return nil, refused // a select of all three might pick an Accept that is about to see the close
	default:
	}
	client, server := net.Pipe()
	reset := new(atomic.Bool)
	select {
	case p.conns <- &serverEnd{Conn: server, reset: reset}:
		return &clientEnd{Conn: client, reset: reset}, nil
	case <-p.done:
		return nil, refused
	case <-ctx.Done():
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: ctx.Err()}
	}
}

// Accept waits for the next DialContext. After Close its error is net.ErrClosed.
func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, &net.OpError{Op: "accept", Net: "pipe", Addr: pipeAddr{}, Err: net.ErrClosed}
	}
}

// Close refuses further connections and leaves those there are. It may be called again.
func (p *Pipe) Close() error {
	p.close()
	return nil
}

// Addr returns an address that names no place: network "pipe", and the host "chaos.test".
func (p *Pipe) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return pipeHost }

const pipeHost = "chaos.test"

type serverEnd struct {
	net.Conn
	reset  *atomic.Bool
	linger atomic.Bool
}

// SetLinger has the one meaning that matters here: with 0, Close is a reset.
func (c *serverEnd) SetLinger(seconds int) error {
	c.linger.Store(seconds == 0)
	return nil
}

func (c *serverEnd) Close() error {
	if c.linger.Load() {
		c.reset.Store(true)
	}
	return c.Conn.Close()
}

type clientEnd struct {
	net.Conn
	reset *atomic.Bool
}

func (c *clientEnd) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) && c.reset.Load() {
		err = &net.OpError{Op: "read", Net: "pipe", Addr: pipeAddr{}, Err: syscall.ECONNRESET}
	}
	return n, err
}
