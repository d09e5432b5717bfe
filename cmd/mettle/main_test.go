package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/fetch"
	"github.com/rogpeppe/go-internal/testscript"
)

// Under the name mettle, the test binary is the command.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", noSleep)
	testscript.Main(m, map[string]func(){"mettle": main})
}

// noSleep spares each process that the tests start the second that the race detector sleeps at its end.
const noSleep = "atexit_sleep_ms=0"

// Each script has a chaos server at $CHAOS, and a port that refuses connections at $CLOSED.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", noSleep)
			srv := chaos.New(chaos.Config{Seed: 1})
			if err := srv.Start(""); err != nil {
				return err
			}
			env.Defer(func() { srv.Close() })
			env.Values["chaos"] = srv
			env.Setenv("CHAOS", srv.URL(""))
			closed, release := closedPort(t)
			env.Defer(release)
			env.Setenv("CLOSED", "http://"+closed)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "refuses": refuses, "table": table, "expand": expand, "served": served, "narrow": narrow, "tear": tear,
		},
	})
}

// exits CODE PROGRAM ARG... runs the program and wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code, err = e.ExitCode(), nil
	}
	ts.Check(err)
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code is %d, want %s", code, args[0])
	}
}

// refuses LINE ARG... wants mettle with these arguments to end with code 2, nothing on stdout and that one line on stderr.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	exits(ts, neg, append([]string{"2", "mettle"}, args[1:]...))
	if got := ts.ReadFile("stderr"); got != args[0]+"\n" || ts.ReadFile("stdout") != "" {
		ts.Fatalf("stderr is\n%swant\n%s", got, args[0])
	}
}

// table FILE WANT compares the records of a file to a table of id, outcome, status, number of attempts and kind of failure,
// sorted.
func table(ts *testscript.TestScript, neg bool, args []string) {
	rows := []string{}
	for _, r := range recordsOf(ts.Fatalf, ts.ReadFile(args[0])) {
		id := strings.NewReplacer(ts.Getenv("CHAOS"), "", ts.Getenv("CLOSED"), "closed:").Replace(r.ID)
		row := fmt.Sprintf("%s %s %d %d", id, r.Outcome, r.Status, len(r.Attempts))
		if r.Error != nil {
			row += " " + string(r.Error.Kind)
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	if got, want := strings.Join(rows, "\n")+"\n", ts.ReadFile(args[1]); (got == want) == neg {
		ts.Fatalf("records are\n%swant\n%s", got, want)
	}
}

// recordsOf parses the lines of text, which must all be whole.
func recordsOf(fatalf func(string, ...any), text string) []fetch.Record {
	var all []fetch.Record
	for line := range strings.Lines(text) {
		var r fetch.Record
		if err := json.Unmarshal([]byte(line), &r); err != nil || !strings.HasSuffix(line, "\n") {
			fatalf("line %q is not a whole record: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// expand FILE... replaces variables in files of the script.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(os.Expand(ts.ReadFile(name), ts.Getenv)), 0o666))
	}
}

// served N wants the script's chaos server to have seen that many requests.
func served(ts *testscript.TestScript, neg bool, args []string) {
	n := ts.Value("chaos").(*chaos.Server).Stats().Requests
	if strconv.FormatInt(n, 10) != args[0] {
		ts.Fatalf("the server saw %d requests, want %s", n, args[0])
	}
}

// tear FILE TEXT appends that text, which ends in the middle of a line.
func tear(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(ts.ReadFile(args[0])+args[1]), 0o666))
}

// narrow ARG... wants no line of that command's help to be wider than 80 columns.
func narrow(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Exec("mettle", append(args, "--help")...))
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if len(line)-1 > 80 {
			ts.Fatalf("the line has %d columns: %s", len(line)-1, line)
		}
	}
}

// closedPort is an address that refuses connections: bound, so that nobody else gets it, but not listening.
func closedPort(t testing.TB) (addr string, release func()) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var sa syscall.Sockaddr
	if err == nil {
		sa, err = syscall.Getsockname(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(sa.(*syscall.SockaddrInet4).Port)), func() { syscall.Close(fd) }
}
