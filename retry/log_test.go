package retry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// plain returns a logger whose records have no time.
func plain(out *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}

func TestLogOfAnExhaustedError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&retry.ExhaustedError{
			Name: "users", Elapsed: 3 * time.Second, Reason: retry.ErrAttempts,
			Attempts: []retry.Attempt{
				{N: 1, Err: errReset, Took: time.Second},
				{N: 2, Err: errDown, Took: 500 * time.Millisecond, Wait: 1500 * time.Millisecond},
			},
		}, `level=ERROR msg=failed err.name=users err.elapsed=3s err.reason="retry: attempts used up"` +
			` err.attempts.1.error="connection reset" err.attempts.1.took=1s err.attempts.1.wait=0s` +
			` err.attempts.2.error=down err.attempts.2.took=500ms err.attempts.2.wait=1.5s`},
		{&retry.ExhaustedError{Attempts: []retry.Attempt{{N: 20}}}, // of a history cut short, and without what is not known
			`level=ERROR msg=failed err.elapsed=0s err.attempts.20.error=<nil> err.attempts.20.took=0s err.attempts.20.wait=0s`},
		{&retry.ExhaustedError{}, `level=ERROR msg=failed err.elapsed=0s`},
	} {
		var out bytes.Buffer
		plain(&out).Error("failed", "err", c.err)
		if got := strings.TrimSpace(out.String()); got != c.want {
			t.Errorf("logged %s\nwant   %s", got, c.want)
		}
	}
}

// A retry is one line: which attempt of how many, how long until the next, and what went wrong. Where the number of attempts has no
// limit the line has no "of", and where a rule has a limit of its own it is that one.
func TestLogOfARetry(t *testing.T) {
	for _, c := range []struct {
		config retry.Config
		err    error
		want   string
	}{
		{retry.Config{Name: "users", Attempts: 2}, errDown, `level=WARN msg="retry: retry" name=users attempt=1 of=2 wait=1.5s error=down`},
		{retry.Config{Attempts: -1, MaxElapsed: 2 * time.Second}, errDown, `level=WARN msg="retry: retry" attempt=1 wait=1.5s error=down`},
		{retry.Config{Attempts: 5, Rules: []retry.Rule{{If: retry.Is(errReset), Attempts: 2}}}, errReset,
			`level=WARN msg="retry: retry" attempt=1 of=2 wait=1.5s error="connection reset"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			c.config.Backoff = retry.Constant(1500 * time.Millisecond)
			c.config.Observer = mettle.Log(plain(&out))
			fn, _ := script(c.err)
			retry.New(c.config).Do(t.Context(), fn)
			if got := strings.TrimSpace(out.String()); got != c.want {
				t.Errorf("logged %s\nwant   %s", got, c.want)
			}
		})
	}
}

// In a log record the error is a group with the history of the call.
func ExampleExhaustedError_LogValue() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == "elapsed" || a.Key == "took" {
			return slog.Attr{} // for this example's output
		}
		return withoutTime(groups, a)
	}}))
	again := retry.New(retry.Config{Name: "users", Attempts: 2, Backoff: retry.Constant(time.Millisecond)})
	calls := 0
	err := again.Do(context.Background(), func(context.Context) error {
		calls++
		return errors.New([]string{"connection reset", "connection refused"}[calls-1])
	})

	log.Error("no user", "id", 7, "error", err)
	// Output:
	// level=ERROR msg="no user" id=7 error.name=users error.reason="retry: attempts used up" error.attempts.1.error="connection reset" error.attempts.1.wait=0s error.attempts.2.error="connection refused" error.attempts.2.wait=1ms
}
