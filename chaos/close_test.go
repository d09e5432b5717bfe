package chaos_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// Close ends every kind of answer that lasts, and nothing is left of it when it returns: the bubble
// would not end otherwise, and virtual time does not move meanwhile.
func TestCloseEndsWhatLasts(t *testing.T) {
	for _, path := range []string{"/slow-headers", "/slow-headers?for=1h", "/stall", "/endless", "/drip?for=1h", "/idle-close", "/ok?size=1000000000"} {
		t.Run(path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := chaos.New(chaos.Config{})
				p := s.StartPipe()
				raw, err := p.DialContext(t.Context(), "tcp", "a.test:80")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := raw.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: a.test\r\n\r\n")); err != nil {
					t.Fatal(err)
				}
				if path == "/idle-close" { // read the good answer; what lasts is the wait for the next request
					if _, err := io.ReadFull(raw, make([]byte, 1024)); err != nil {
						t.Fatal(err)
					}
					go io.Copy(io.Discard, raw)
				}
				synctest.Wait()
				before := s.Stats()
				if before.Open != 1 || before.Hosts["a.test"].Active != 1 {
					t.Fatalf("before Close: %+v, want one request in service", before)
				}
				start := time.Now()
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if after := s.Stats(); after.Open != 0 || after.Hosts["a.test"].Active != 0 || time.Since(start) != 0 {
					t.Errorf("after Close: %+v after %v", after, time.Since(start))
				}
				if err := s.Close(); err != nil {
					t.Errorf("second Close: %v", err)
				}
				if _, err := p.DialContext(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("dialing a closed server: %v, want ECONNREFUSED", err)
				}
			})
		})
	}
}

func TestCloseEndsIdleConnections(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		get(c, "http://a.test/ok")
		raw, err := s.DialContext(t.Context(), "", "") // sends nothing at all
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := s.Stats().Open; n != 2 {
			t.Fatalf("%d connections, want an idle and a new one", n)
		}
		s.Close()
		if _, err := raw.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v, want the end", err)
		}
	})
}

// A request for which the server is closed meanwhile gets no answer, rather than a wrong one.
func TestCloseSendsNoAnswer(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		done := make(chan reply)
		go func() { done <- get(c, "http://a.test/slow-headers?for=1h") }()
		synctest.Wait()
		s.Close()
		if r := <-done; !r.noHead || r.err == nil {
			t.Errorf("got %d, %v; want no answer", r.status, r.err)
		}
	})
}

func TestServeSeveralListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := chaos.New(chaos.Config{})
		one, two := chaos.NewPipe(), chaos.NewPipe()
		ended := make(chan error, 2)
		for _, p := range []*chaos.Pipe{one, two} {
			go func() { ended <- s.Serve(p) }()
		}
		for _, p := range []*chaos.Pipe{one, two} {
			c := &http.Client{Transport: &http.Transport{DialContext: p.DialContext}}
			if r := get(c, "http://a.test/status/500?heal=1"); r.err != nil {
				t.Error(r.err)
			}
		}
		if n := s.Requests("http://a.test/status/500?heal=1"); n != 2 {
			t.Errorf("%d requests counted over both, want 2", n)
		}
		s.Close()
		for range 2 {
			if err := <-ended; err != http.ErrServerClosed {
				t.Errorf("Serve: %v, want %v", err, http.ErrServerClosed)
			}
		}
	})
}

func TestServeReturnsTheListenersError(t *testing.T) {
	broken := errors.New("broken")
	s := chaos.New(chaos.Config{})
	if err := s.Serve(failing{err: broken}); !errors.Is(err, broken) {
		t.Errorf("Serve: %v, want %v", err, broken)
	}
	s.Close()
}

type failing struct {
	net.Listener
	err error
}

func (f failing) Accept() (net.Conn, error) { return nil, f.err }
func (f failing) Close() error              { return nil }
func (f failing) Addr() net.Addr            { return chaos.NewPipe().Addr() }

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := chaos.NewPipe()
		if p.Addr().Network() != "pipe" || p.Addr().String() != "chaos.test" {
			t.Errorf("Addr %v", p.Addr())
		}
		go func() {
			time.Sleep(time.Second)
			c, err := p.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(c, "hello")
			c.(interface{ SetLinger(int) error }).SetLinger(0)
			c.Close()
		}()
		start := time.Now()
		c, err := p.DialContext(t.Context(), "tcp", "anywhere:80")
		if err != nil || time.Since(start) != time.Second {
			t.Fatalf("dial: %v after %v, want to wait for Accept", err, time.Since(start))
		}
		b, err := io.ReadAll(c)
		if string(b) != "hello" || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read %q, %v; want hello and a reset", b, err)
		}
		c.Close()

		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if _, err := p.DialContext(ctx, "", ""); err == nil || !strings.Contains(err.Error(), "deadline") {
			t.Errorf("dial with nobody there: %v, want the deadline", err)
		}
		accepted, dialed := make(chan error), make(chan error)
		go func() { _, err := p.DialContext(t.Context(), "", ""); dialed <- err }()
		synctest.Wait()
		p.Close()
		p.Close()
		if err := <-dialed; !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial while it closes: %v, want ECONNREFUSED", err)
		}
		go func() { _, err := p.Accept(); accepted <- err }()
		if err := <-accepted; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after Close: %v, want net.ErrClosed", err)
		}
	})
}
