//go:build unix

package group_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/mettle-go/mettle/group"
)

// These programs print a line when they are ready for a signal, and end with their standard input at the latest.
func init() {
	hang := func() { _, _ = io.Copy(io.Discard, os.Stdin) }
	programs["scope"] = func() int { return untilSignal(func() { fmt.Println("cleaned up") }) }
	programs["scope that hangs"] = func() int {
		return untilSignal(func() {
			fmt.Println("cleaning up")
			hang()
		})
	}
	programs["stopped"] = func() int {
		_, stop := group.Signals(context.Background())
		stop()
		fmt.Println("ready")
		hang()
		return 0
	}
}

func untilSignal(clean func()) int {
	ctx, stop := group.Signals(context.Background())
	defer stop()
	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			fmt.Println("ready")
			<-ctx.Done()
			clean()
			return ctx.Err()
		})
		return nil
	})
	fmt.Println(err)
	s, ok := errors.AsType[*group.SignalError](err)
	if cause := context.Cause(ctx); !ok || cause != error(s) {
		fmt.Println("the context's cause is", cause)
		return 1
	}
	return s.ExitCode()
}

// program is one of programs, running.
type program struct {
	*exec.Cmd
	t   *testing.T
	out *bufio.Scanner
}

func startProgram(t *testing.T, name string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{Cmd: exec.Command(self), t: t}
	p.Env = append(os.Environ(), programEnv+"="+name)
	p.Stderr = os.Stderr
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = p.Wait()
	})
	p.says("ready")
	return p
}

// says wants the next line that the program prints to begin with text.
func (p *program) says(text string) {
	p.t.Helper()
	if p.out.Scan(); !strings.HasPrefix(p.out.Text(), text) {
		p.t.Fatalf("the program says %q, want %q", p.out.Text(), text)
	}
}

// ends wants the program to have ended, by a signal if that is not 0.
func (p *program) ends(code int, by syscall.Signal) {
	p.t.Helper()
	if p.out.Scan() {
		p.t.Errorf("the program also says %q", p.out.Text())
	}
	_ = p.Wait()
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	if by != 0 && (!status.Signaled() || status.Signal() != by) || by == 0 && (!status.Exited() || status.ExitStatus() != code) {
		p.t.Errorf("the program ended by %v, want exit status %d or signal %v", p.ProcessState, code, by)
	}
}

var signals = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}

func TestFirstSignalIsGraceful(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		name   string
		code   int
	}{{syscall.SIGINT, "interrupt", 130}, {syscall.SIGTERM, "terminated", 143}} {
		p := startProgram(t, "scope")
		_ = p.Process.Signal(tt.signal)
		p.says("cleaned up")
		p.says("group: 1 of 1 task canceled: context canceled: group: signal: " + tt.name)
		p.ends(tt.code, 0)
	}
}

func TestSecondSignalEndsTheProgram(t *testing.T) {
	for _, first := range signals {
		for _, second := range signals {
			if signal.Ignored(second) {
				continue // these tests run under nohup or the like, and so does what they start
			}
			p := startProgram(t, "scope that hangs")
			_ = p.Process.Signal(first)
			p.says("cleaning up")
			_ = p.Process.Signal(second)
			p.ends(0, second)
		}
	}
}

func TestSignalsAreGivenBack(t *testing.T) {
	for _, s := range signals {
		if signal.Ignored(s) {
			continue
		}
		p := startProgram(t, "stopped")
		_ = p.Process.Signal(s)
		p.ends(0, s)
	}
}

func TestSignalsLeavesNoGoroutine(t *testing.T) {
	wantGone := func() {
		t.Helper()
		all := make([]byte, 1<<20)
		for range 1_000_000 { // it may have a few instructions left
			if text := string(all[:runtime.Stack(all, true)]); !strings.Contains(text, "group.Signals") {
				return
			}
			runtime.Gosched()
		}
		t.Fatal("a goroutine is left")
	}
	ctx, stop := group.Signals(t.Context())
	stop()
	stop()
	if cause := context.Cause(ctx); cause != context.Canceled {
		t.Errorf("stopped, the context's cause is %v, want %v", cause, context.Canceled)
	}
	wantGone()

	parent, cancel := context.WithCancelCause(t.Context())
	ctx, stop = group.Signals(parent)
	defer stop()
	cancel(errBoom)
	<-ctx.Done()
	if cause := context.Cause(ctx); cause != errBoom {
		t.Errorf("the context's cause is %v, want its parent's", cause)
	}
	wantGone()
}

func TestSignalError(t *testing.T) {
	for _, tt := range []struct {
		signal os.Signal
		code   int
		text   string
	}{
		{os.Interrupt, 130, "group: signal: interrupt"},
		{syscall.SIGTERM, 143, "group: signal: terminated"},
		{other{}, 1, "group: signal: other"},
	} {
		e := &group.SignalError{Signal: tt.signal}
		if e.ExitCode() != tt.code || e.Error() != tt.text {
			t.Errorf("%v: exit code %d, text %q, want %d and %q", tt.signal, e.ExitCode(), e, tt.code, tt.text)
		}
	}
}

// other is a signal of no system.
type other struct{}

func (other) Signal()        {}
func (other) String() string { return "other" }
