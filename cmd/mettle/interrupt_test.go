package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A gate is a server that answers /ok at once, and other paths only once they are released.
type gate struct {
	*httptest.Server
	entered chan string
	release chan struct{}
}

func newGate(t *testing.T) *gate {
	g := &gate{entered: make(chan string, 100), release: make(chan struct{})}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/ok") {
			return
		}
		g.entered <- r.URL.Path
		select {
		case <-g.release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// list writes a file of URLs.
func (g *gate) list(t *testing.T, paths ...string) string {
	name := filepath.Join(t.TempDir(), "urls.txt")
	var text strings.Builder
	for _, p := range paths {
		fmt.Fprintln(&text, g.URL+p)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

// A process is a running mettle.
type process struct {
	*exec.Cmd
	t      *testing.T
	stderr *bufio.Reader
}

func start(t *testing.T, stdin io.Reader, stdout io.Writer, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command("mettle", args...), t: t}
	p.Stdin, p.Stdout = stdin, stdout
	pipe, err := p.StderrPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	p.stderr = bufio.NewReader(pipe)
	return p
}

// says wants the next lines on stderr to match these regular expressions from their beginning.
func (p *process) says(patterns ...string) {
	p.t.Helper()
	for _, want := range patterns {
		if line, err := p.stderr.ReadString('\n'); err != nil || !regexp.MustCompile("^"+want).MatchString(line) {
			p.t.Fatalf("stderr says %q, %v, want %s", line, err, want)
		}
	}
}

// awaits reads lines on stderr until one contains want.
func (p *process) awaits(want string) {
	p.t.Helper()
	for line := ""; !strings.Contains(line, want); {
		var err error
		if line, err = p.stderr.ReadString('\n'); err != nil {
			p.t.Fatalf("stderr never says %s: %v", want, err)
		}
	}
}

// ends wants nothing more on stderr, and that exit code.
func (p *process) ends(code int) {
	p.t.Helper()
	if rest, _ := io.ReadAll(p.stderr); len(rest) > 0 {
		p.t.Errorf("stderr goes on with %q", rest)
	}
	if p.Wait(); p.ProcessState.ExitCode() != code {
		p.t.Errorf("it ended with %v, want code %d", p.ProcessState, code)
	}
}

// someLeft is the end of a summary. How much of its list a run has read when it is stopped is not certain.
const someLeft = `(, \d still to do)? of \d( read so far)? in `

// resumable is what follows the summary of a run that was stopped and has a file of results.
const resumable = "hint: run the same command again to go on\n"

func outcomes(t *testing.T, file string) (ok int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recordsOf(t.Fatalf, string(text)) {
		if !r.OK {
			t.Errorf("%s is %s: %v", r.URL, r.Outcome, r.Error)
		}
		ok++
	}
	return ok
}

func TestFirstSignalLetsRunningRequestsFinish(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		code   int
		now    string
	}{{syscall.SIGINT, 130, "press Ctrl-C again"}, {syscall.SIGTERM, 143, "send SIGTERM again"}, {syscall.SIGHUP, 129, "send SIGTERM"}} {
		if signal.Ignored(tt.signal) {
			continue // this test runs under nohup, and so does what it starts
		}
		g := newGate(t)
		out := filepath.Join(t.TempDir(), "out.jsonl")
		list := g.list(t, "/wait/1", "/wait/2", "/wait/3", "/wait/4", "/wait/5")
		p := start(t, nil, nil, "fetch", "-c", "2", "--grace", "1h", "-o", out, list)
		<-g.entered
		<-g.entered
		p.Process.Signal(tt.signal)
		p.says("mettle: stopping, 2 running requests may finish within 1h0m0s\n", "hint: "+tt.now+" to exit now\n")
		close(g.release)
		p.says("mettle: 2 ok, 0 failed"+someLeft, resumable)
		p.ends(tt.code)
		if n := outcomes(t, out); n != 2 || len(g.entered) != 0 {
			t.Errorf("%d results and %d more requests, want 2 and none", n, len(g.entered))
		}
	}
}

func TestRequestsThatOutlastTheGraceAreStillToDo(t *testing.T) {
	g := newGate(t)
	out := filepath.Join(t.TempDir(), "out.jsonl")
	p := start(t, nil, nil, "fetch", "-c", "1", "--grace", "1ms", "-o", out, g.list(t, "/ok", "/wait/1", "/wait/2"))
	<-g.entered
	p.Process.Signal(os.Interrupt)
	p.says("mettle: stopping, ")
	p.awaits("mettle: 1 ok, 0 failed")
	p.says(resumable)
	p.ends(130)
	if n := outcomes(t, out); n != 1 {
		t.Errorf("%d results, want 1", n)
	}
}

func TestSecondSignalExitsNow(t *testing.T) {
	g := newGate(t)
	out := filepath.Join(t.TempDir(), "out.jsonl")
	p := start(t, nil, nil, "fetch", "-c", "1", "--grace", "1h", "-o", out, g.list(t, "/ok/1", "/ok/2", "/wait/1", "/wait/2"))
	<-g.entered
	p.Process.Signal(os.Interrupt)
	p.says("mettle: stopping, 1 running request may finish", "hint: ")
	p.Process.Signal(os.Interrupt)
	p.says("mettle: 2 ok, 0 failed"+someLeft, resumable)
	p.ends(130)
	if n := outcomes(t, out); n != 2 {
		t.Errorf("%d results, want 2", n)
	}
}

func TestASignalThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	var out strings.Builder
	p := start(t, nil, &out, "fetch", "--progress", "json", g.list(t, "/wait"))
	<-g.entered
	p.awaits(`"all_read":true`)
	p.Process.Signal(os.Interrupt)
	p.awaits(`"stopping":true`)
	close(g.release)
	p.awaits(`"final":true`)
	p.ends(0)
	if n := len(recordsOf(t.Fatalf, out.String())); n != 1 {
		t.Errorf("%d results, want 1", n)
	}
}

func TestSignalWhileStdinSaysNothing(t *testing.T) {
	g := newGate(t)
	r, w, err := os.Pipe() // stays open: there could be more
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	fmt.Fprintln(w, g.URL+"/wait")
	p := start(t, r, io.Discard, "fetch", "--progress", "plain")
	<-g.entered
	p.Process.Signal(os.Interrupt)
	p.says("mettle: stopping, 1 running request may finish", "hint: ")
	close(g.release)
	p.says("mettle: 1 ok, 0 failed of 1 read so far in ", "hint: with -o FILE, the same command goes on where it stopped\n")
	p.ends(130)
}

func TestSecondSignalEndsAWriteThatHangs(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fill(t, w)
	p := start(t, nil, w, "fetch", "-c", "1", g.list(t, "/wait/1", "/wait/2"))
	w.Close()
	<-g.entered
	close(g.release)
	<-g.entered // so the first result is on its way into the pipe
	p.Process.Signal(os.Interrupt)
	p.says("mettle: stopping, ")
	p.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(p.stderr)
	if strings.Contains(string(rest), "still to do") {
		t.Errorf("the write did not hang: %s", rest)
	}
	p.ends(130)
}

// fill writes to a pipe until it takes no more.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	conn, err := w.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 4096)
	conn.Write(func(fd uintptr) bool {
		for err == nil {
			_, err = syscall.Write(int(fd), junk)
		}
		return true
	})
	if err != syscall.EAGAIN {
		t.Fatal(err)
	}
}

func TestClosedStdoutEndsWithCode6(t *testing.T) {
	g := newGate(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	p := start(t, nil, w, "fetch", g.list(t, "/ok"))
	w.Close()
	p.says("mettle: 1 ok, 0 failed of 1 in ", "mettle: cannot write results to stdout: broken pipe\n")
	p.ends(6)
}

// Who reads the results is gone before those come that ran at the stop: that they are lost matters more than the stop.
func TestASignalDoesNotHideThatResultsAreLost(t *testing.T) {
	g := newGate(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, nil, w, "fetch", "-c", "1", "--grace", "1h", g.list(t, "/wait/1", "/wait/2"))
	w.Close()
	<-g.entered
	p.Process.Signal(os.Interrupt)
	p.says("mettle: stopping, 1 running request may finish", "hint: ")
	r.Close()
	close(g.release)
	p.says("mettle: 1 ok, 0 failed"+someLeft, "mettle: cannot write results to stdout: broken pipe\n")
	p.ends(6)
}

// A stderr that nobody reads holds up what is said there, but not the exit.
func TestSignalsAreHeardWhileStderrHangs(t *testing.T) {
	g := newGate(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fill(t, w)
	cmd := exec.Command("mettle", "fetch", "-c", "1", "--grace", "1h", "--progress", "plain", "-o", t.TempDir()+"/out", g.list(t, "/wait/1"))
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	<-g.entered
	over := make(chan struct{})
	go func() {
		cmd.Wait()
		close(over)
	}()
	for { // until it has heard enough of them; signals that come too fast are one
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-over:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
