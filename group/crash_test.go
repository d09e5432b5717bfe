package group_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/group"
)

// crashEnv tells the test binary, started again as a process of its own, which scope to crash in.
const crashEnv = "METTLE_GROUP_CRASH"

// errSlow gives whoever might wrongly go on, while the runtime prepares to print it, time to do so.
var errSlow error = slowError{}

type slowError struct{}

func (slowError) Error() string {
	for range 100_000 {
		runtime.Gosched()
	}
	return "boom"
}

//go:noinline
func crashesAt() { panic(errSlow) }

var crashes = map[string]func() error{
	"Go":     func() error { return crashIn(func(context.Context) error { crashesAt(); return nil }) },
	"Go nil": func() error { return crashIn(func(context.Context) error { var p *peak; p.now.Add(1); return nil }) },
	"Go exits, then the next panics": func() error {
		return crashIn(exit, func(context.Context) error { crashesAt(); return nil })
	},
	"Map": func() error {
		_, err := group.Map(context.Background(), upTo(100), group.Config{Limit: 4, Crash: true},
			func(_ context.Context, n int) (int, error) {
				if n == 50 {
					crashesAt()
				}
				return n, nil
			})
		return err
	},
	"Settle": func() error {
		results := group.Settle(context.Background(), upTo(2), group.Config{Limit: 1, Crash: true},
			func(context.Context, int) (int, error) { crashesAt(); return 0, nil })
		return results[0].Err
	},
	"Stream": func() (err error) {
		for _, err = range group.Stream(context.Background(), forever, group.Config{Limit: 4, Crash: true},
			func(_ context.Context, n int) (int, error) {
				if n == 50 {
					crashesAt()
				}
				return n, nil
			}) {
			_ = err
		}
		return err
	},
	"Stream, after a break": func() error {
		began := make(chan struct{})
		for range group.Stream(context.Background(), forever, group.Config{Limit: 4, Crash: true},
			func(ctx context.Context, n int) (int, error) {
				if n == 1 {
					close(began)
					<-ctx.Done()
					crashesAt()
				}
				return n, nil
			}) {
			<-began
			break
		}
		return nil
	},
	"Stream of a seq that panics": func() (err error) {
		for _, err = range group.Stream(context.Background(), func(func(int) bool) { crashesAt() }, group.Config{Crash: true}, double) {
			_ = err
		}
		return err
	},
}

func crashIn(tasks ...func(context.Context) error) error {
	cfg := group.Config{Crash: true, Limit: 1, MaxFailures: -1}
	return group.RunWith(context.Background(), cfg, func(g *group.Group) error {
		for _, task := range tasks {
			g.Go(task)
		}
		return nil
	})
}

// programEnv tells the test binary, started again as a process of its own, which of the programs to be. Each returns its exit
// status.
const programEnv = "METTLE_GROUP_PROGRAM"

var programs = map[string]func() int{}

func TestMain(m *testing.M) {
	if crash, ok := crashes[os.Getenv(crashEnv)]; ok {
		fmt.Println("survived:", crash())
		os.Exit(0)
	}
	if program, ok := programs[os.Getenv(programEnv)]; ok {
		os.Exit(program())
	}
	os.Exit(m.Run())
}

func TestCrash(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name := range crashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), crashEnv+"="+name)
			out, err := cmd.CombinedOutput()
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != 2 {
				t.Fatalf("%v, want exit status 2\n%s", err, out)
			}
			for _, bad := range []string{"survived", "recovered", "repanicked"} {
				if strings.Contains(string(out), bad) {
					t.Errorf("output has %q", bad)
				}
			}
			want := []string{"panic: boom", "group_test.crashesAt("}
			if name == "Go nil" {
				want = []string{"nil pointer dereference", "crash_test.go"}
			}
			for _, part := range want {
				if !strings.Contains(string(out), part) {
					t.Errorf("output lacks %q", part)
				}
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}

// A task that ends its goroutine does not crash.
func TestCrashGoexit(t *testing.T) {
	err := crashIn(exit, succeed)
	if wantCounts(t, err, 1, 1, 0, 0); !errors.Is(err, group.ErrGoexit) {
		t.Fatalf("%v, want ErrGoexit", err)
	}
	_, err = group.Map(t.Context(), upTo(9), group.Config{Crash: true, MaxFailures: -1}, func(ctx context.Context, n int) (int, error) {
		return n, []func(context.Context) error{succeed, exit}[n%2](ctx)
	})
	wantCounts(t, err, 5, 4, 0, 0)
}
