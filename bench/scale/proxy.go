package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

const downHost = "down.test"

// A proxy is an HTTP proxy that asks nobody. It knows as much of HTTP as the command's requests have: GETs without a body. So it costs
// little beside the command.
type proxy struct {
	begin     time.Time
	good, bad atomic.Int64
	last      atomic.Int64 // when the last good answer began, since begin
}

var (
	good = answerOf("200 OK", strings.Repeat("x", 100))
	bad  = answerOf("502 Bad Gateway", "down")
)

func answerOf(status, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body)
}

func (p *proxy) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go p.answer(c)
	}
}

func (p *proxy) answer(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		down := bytes.HasPrefix(line, []byte("GET http://"+downHost+"/"))
		for len(line) > len("\r\n") {
			if line, err = in.ReadSlice('\n'); err != nil {
				return
			}
		}
		reply := good
		if down {
			reply = bad
			p.bad.Add(1)
		} else {
			p.good.Add(1)
			p.last.Store(int64(time.Since(p.begin)))
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}
