package mettlehttp

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// A source is a body that knows whether it was closed.
type source struct {
	io.Reader
	closed int
}

func (s *source) Close() error { s.closed++; return nil }

// Whatever attempts read of a body and when they close it: each reads it from its beginning, for as long as it is remembered, and the body is closed
// once, when nobody needs it any more.
func FuzzRecording(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint16(0))
	f.Add(uint64(2), uint16(10), uint16(10))
	f.Add(uint64(3), uint16(11), uint16(10))
	f.Add(uint64(4), uint16(300), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, size, limit uint16) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		size, limit = size%500, limit%500
		text := make([]byte, size)
		for i := range text {
			text[i] = byte(rnd.Uint32())
		}
		src := &source{Reader: &chunks{text, rnd}}
		if rnd.IntN(2) == 0 {
			src.Reader = iotest.DataErrReader(src.Reader) // the end comes with the last bytes
		}
		r := &recording{body: src, max: int(limit)}
		most := 0 // read by any attempt
		for range 1 + rnd.IntN(4) {
			body := r.open()
			at := 0
			for range rnd.IntN(12) {
				p := make([]byte, rnd.IntN(80))
				n, err := body.Read(p)
				if errors.Is(err, ErrBody) {
					if most <= int(limit) || at >= most || n > 0 {
						t.Fatalf("ErrBody at %d of %d read, %d remembered", at, most, limit)
					}
					break
				}
				if at < most && most > int(limit) && len(p) > 0 {
					t.Fatalf("%d bytes at %d, of %d read and %d remembered", n, at, most, limit)
				}
				if got, want := string(p[:n]), string(text[at:min(at+n, len(text))]); got != want {
					t.Fatalf("at %d: %q, want %q", at, got, want)
				}
				at += n
				most = max(most, at)
				if err == io.EOF && at != len(text) || err != nil && err != io.EOF {
					t.Fatalf("%v at %d of %d", err, at, len(text))
				}
			}
			if r.lost.Load() != (most > int(limit)) {
				t.Fatalf("lost: %v, after %d bytes of %d", r.lost.Load(), most, limit)
			}
			if src.closed > 0 {
				t.Fatal("the body was closed between attempts")
			}
			body.Close()
			body.Close()
			if n, err := body.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Fatalf("a closed attempt reads %d, %v", n, err)
			}
		}
		last := r.open()
		r.finish()
		if src.closed != 0 {
			t.Fatal("the body was closed under the last attempt")
		}
		last.Close()
		r.finish()
		if src.closed != 1 {
			t.Fatalf("the body was closed %d times", src.closed)
		}
	})
}

// chunks gives text in pieces of any size, also of none.
type chunks struct {
	text []byte
	rnd  *rand.Rand
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.text[:c.rnd.IntN(len(c.text)+1)])
	c.text = c.text[n:]
	return n, nil
}
