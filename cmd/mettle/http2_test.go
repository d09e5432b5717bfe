package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What package mettlehttp knows of HTTP/2 is what net/http and x/net say in the texts of their errors, and what they repeat by themselves. The module of
// the package has no dependencies, and its server for HTTP/2 cannot be told to refuse: so these tests are here.

// An h2server does to each request what its script says, and 200 when the script has ended.
type h2server struct {
	net.Listener
	script []string

	mu      sync.Mutex
	seen    []string // the bodies
	open    []net.Conn
	stopped bool
	serving sync.WaitGroup
}

func serveH2(t *testing.T, script ...string) *h2server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &h2server{Listener: l, script: script}
	s.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open = append(s.open, conn)
			if s.stopped {
				conn.Close()
			}
			s.mu.Unlock()
			s.serving.Go(func() {
				defer conn.Close()
				s.serve(conn)
			})
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *h2server) stop() {
	s.Close()
	s.mu.Lock()
	s.stopped = true
	for _, conn := range s.open {
		conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// take notes a request and returns what to do to it.
func (s *h2server) take(body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, body)
	if n := len(s.seen); n <= len(s.script) {
		return s.script[n-1]
	}
	return "200"
}

func (s *h2server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// serve speaks as much HTTP/2 as these tests need, until the client or the script ends the connection.
func (s *h2server) serve(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings() != nil {
		return
	}
	bodies := map[uint32]*bytes.Buffer{}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		id := frame.Header().StreamID
		ended := false
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			f.WritePing(true, frame.Data)
		case *http2.HeadersFrame:
			bodies[id] = new(bytes.Buffer)
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			bodies[id].Write(frame.Data())
			ended = frame.StreamEnded()
		}
		if ended && !answerH2(f, id, s.take(bodies[id].String())) {
			return
		}
	}
}

// answerH2 reports whether the connection goes on.
func answerH2(f *http2.Framer, id uint32, how string) bool {
	switch how {
	case "refuse":
		f.WriteRSTStream(id, http2.ErrCodeRefusedStream)
	case "internal error":
		f.WriteRSTStream(id, http2.ErrCodeInternal)
	case "goaway before":
		f.WriteGoAway(id-1, http2.ErrCodeNo, nil)
		return false
	case "goaway before, calm down":
		f.WriteGoAway(id-1, http2.ErrCodeEnhanceYourCalm, nil)
		return false
	case "goaway after":
		f.WriteGoAway(id, http2.ErrCodeNo, []byte("; REFUSED_STREAM"))
		return false
	case "hang up":
		return false
	default:
		status, frames, _ := strings.Cut(how, " of 4: ")
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		enc.WriteField(hpack.HeaderField{Name: ":status", Value: status})
		if frames != "" {
			enc.WriteField(hpack.HeaderField{Name: "content-length", Value: "4"})
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndStream: frames == "", EndHeaders: true})
		parts := strings.Fields(frames)
		for i, data := range parts {
			f.WriteData(id, i == len(parts)-1, []byte(data))
		}
	}
	return true
}

// h2bases are the clients for HTTP/2 without TLS that there are.
func h2bases() map[string]http.RoundTripper {
	std := &http.Transport{Protocols: new(http.Protocols)}
	std.Protocols.SetUnencryptedHTTP2(true)
	return map[string]http.RoundTripper{
		"net/http": std,
		//lint:ignore SA1019 Programs still have it.
		"x/net": &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}},
	}
}

// h2cases are what a server may do to a POST, and whether that proves that it did not process it.
var h2cases = []struct {
	how   string
	again bool // it is sent once more
}{
	{"refuse", true},
	{"goaway before", true},
	{"goaway before, calm down", true},
	{"421", true},
	{"425", true},
	{"internal error", false},
	{"goaway after", false},
	{"hang up", false},
	{"503", false},
}

// What an HTTP/2 server provably did not process is sent once more, also a POST; what it may have processed is not.
func TestHTTP2RequestsThatWereNotProcessed(t *testing.T) {
	bodies := map[string]func() io.Reader{
		"no body":    func() io.Reader { return nil },
		"GetBody":    func() io.Reader { return strings.NewReader("body") },
		"remembered": func() io.Reader { return struct{ io.Reader }{strings.NewReader("body")} },
	}
	for _, tt := range h2cases {
		for kind, body := range bodies {
			for name, base := range h2bases() {
				for _, warm := range []bool{false, true} { // the first stream of a connection is a case of its own
					t.Run(fmt.Sprintf("%s/%s/%s/warm=%v", tt.how, kind, name, warm), func(t *testing.T) {
						script := []string{tt.how}
						if warm {
							script = []string{"204", tt.how}
						}
						s := serveH2(t, script...)
						var rec mettletest.Recorder
						c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{
							Retry: retry.Config{Backoff: retry.Constant(0)}, Observer: rec.Observe,
						})}
						url := "http://" + s.Addr().String()
						if warm {
							resp, err := c.Get(url)
							if err != nil {
								t.Fatal(err)
							}
							resp.Body.Close()
						}
						resp, err := c.Post(url, "text/plain", body())
						if resp != nil {
							resp.Body.Close()
						}
						got := s.requests()[len(script)-1:]
						want := []string{""}
						if kind != "no body" {
							want = []string{"body"}
						}
						if tt.again {
							want = append(want, want[0])
						}
						if !slices.Equal(got, want) {
							t.Errorf("the server saw %q, want %q", got, want)
						}
						switch {
						case tt.again && (err != nil || resp.StatusCode != 200):
							t.Errorf("%v %v, want 200", resp, err)
						case tt.how == "503" && (err != nil || resp.StatusCode != 503):
							t.Errorf("%v %v, want 503", resp, err)
						case !tt.again && tt.how != "503" && err == nil:
							t.Errorf("%v, want an error", resp)
						}
						// Whoever sent it again, the observer knows.
						events := rec.Events()
						if len(events) != len(want)-1 {
							t.Errorf("events %+v", events)
						}
						for _, e := range events {
							if (e.Policy == "http") != errors.Is(e.Err, mettlehttp.ErrReplayed) {
								t.Errorf("event %+v", e)
							}
						}
					})
				}
			}
		}
	}
}
