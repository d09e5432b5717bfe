//go:build unix

package main

import (
	"io"
	"syscall"
	"testing"
)

func TestSIGUSR1SaysHowFarTheRunIs(t *testing.T) {
	for kind, want := range map[string]string{
		progressNone:  `mettle: 1 ok, 0 failed of 2( read so far)? in [\d.]+m?s, 1 running\n`,
		progressPlain: `mettle: 1 ok, 0 failed of 2( read so far)? in [\d.]+m?s, 1 running\n`,
		progressJSON:  `\{"elapsed_ms":.*"ok":1,.*"running":1,.*"final":false\}\n`,
	} {
		g := newGate(t)
		p := start(t, nil, io.Discard, "fetch", "-c", "1", "--progress", kind, g.list(t, "/ok", "/wait"))
		<-g.entered
		p.Process.Signal(syscall.SIGUSR1)
		p.says(want)
		p.Process.Signal(syscall.SIGUSR1)
		p.says(want)
		close(g.release)
		io.Copy(io.Discard, p.stderr)
		p.ends(0)
	}
}
