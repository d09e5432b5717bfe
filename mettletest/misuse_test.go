package mettletest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

func pass(mettle.Observer) mettle.Policy {
	return mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) })
}

func TestConfigIsChecked(t *testing.T) {
	for _, tc := range []struct {
		c    Config
		gate bool
		want string
	}{
		{Config{New: pass}, false, ""},
		{Config{New: pass, Rejecting: pass, Skip: map[string]string{"waiter": "no queue"}}, true, ""},
		{Config{}, false, "mettletest: Config.New is nil, want a function"},
		{Config{New: pass}, true, "mettletest: Config.Rejecting is nil, want a function: a gate rejects"},
		{Config{New: pass, Skip: map[string]string{"panics": "typo"}}, false, `mettletest: Config.Skip has "panics", want the name of a check`},
	} {
		got := ""
		if err := tc.c.validate(tc.gate); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestAPolicyThatIsNoGateIsTold(t *testing.T) {
	for _, k := range gateChecks {
		err := k.judge(t, Config{New: pass, Rejecting: pass}, quickly)
		if err == nil || !strings.Contains(err.Error(), "has no Acquire") {
			t.Errorf("%s says %v", k.name, err)
		}
	}
}

func TestSkippedChecksAreNotRun(t *testing.T) {
	TestPolicy(t, Config{New: plain(recovers), Skip: map[string]string{"panic": "it recovers"}})
}

// A failure is told by a test that fails, so another process runs it.
func TestAFailureSaysPromiseAndSight(t *testing.T) {
	const flag = "METTLETEST_FAIL"
	if os.Getenv(flag) != "" {
		TestPolicy(t, Config{New: plain(recovers), Rejecting: pass})
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), flag+"=1")
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Fatalf("the test binary ended by %v:\n%s", err, out)
	}
	for _, want := range []string{
		"--- FAIL: " + t.Name() + "/panic ",
		"promise: a panic of the function passes through Do, not recovered, with its value",
		"seen: the function panicked, and Do returned toy: panic: &{a panic of mettletest}",
		"--- FAIL: " + t.Name() + "/rejection ",
		"seen: the function ran in call 1 of a policy that rejects; Do returned <nil>",
		"--- PASS: " + t.Name() + "/error ",
		"--- SKIP: " + t.Name() + "/overlap ",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if n := strings.Count(string(out), "--- FAIL"); n != 3 {
		t.Errorf("%d tests failed, want the two checks and their parent:\n%s", n, out)
	}
}

func TestTheManualListsTheChecks(t *testing.T) {
	manual, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range append(append([]check(nil), policyChecks...), gateChecks...) {
		if line := "//\t" + k.name + strings.Repeat(" ", 13-len(k.name)) + k.promise + "\n"; !strings.Contains(string(manual), line) {
			t.Errorf("the manual has no line %q", line)
		}
	}
}

// server is a policy with a goroutine of its own, which Close ends.
type server struct {
	stop chan struct{}
}

func (s *server) Do(ctx context.Context, fn function) error { return fn(ctx) }

func (s *server) serve() {
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.stop:
			return
		}
	}
}

type closer struct{ *server }

func (c closer) Close() error { close(c.stop); return nil }

type quietCloser struct{ *server }

func (c quietCloser) Close() { close(c.stop) }

func TestPoliciesAreClosed(t *testing.T) {
	begin := func() *server {
		s := &server{stop: make(chan struct{})}
		go s.serve()
		return s
	}
	c := Config{New: func(mettle.Observer) mettle.Policy { return closer{begin()} }}
	TestPolicy(t, c)
	t.Run("stack", func(t *testing.T) { TestPolicy(t, c.stacked()) })
	t.Run("quiet", func(t *testing.T) {
		TestPolicy(t, Config{New: func(mettle.Observer) mettle.Policy { return quietCloser{begin()} }})
	})
	t.Run("open", func(t *testing.T) {
		c := Config{New: func(mettle.Observer) mettle.Policy { return begin() }}
		if got := caughtBy(t, policyChecks[:1], c); len(got) != 1 {
			t.Error("a goroutine that nobody ends is not noticed")
		}
	})
}
