package mettle_test

import (
	"bytes"
	"context"
	"log"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

// plain writes records without their time.
func plain(b *bytes.Buffer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLogWritesEachKind(t *testing.T) {
	for want, e := range map[string]mettle.Event{
		`level=WARN msg="retry: retry" name=users attempt=1 of=3 wait=1s error=down`: {
			Kind: mettle.Retried, Policy: "retry", Name: "users", Err: errDown, Attempt: 1, Of: 3, Wait: time.Second},
		`level=WARN msg="retry: retry" attempt=1 wait=0s error=down`: {Kind: mettle.Retried, Policy: "retry", Err: errDown, Attempt: 1},
		`level=DEBUG msg="breaker: rejected" name=db retry_after=5s error="gate: shut"`: {
			Kind: mettle.Rejected, Policy: "breaker", Name: "db", Err: errGate, Wait: 5 * time.Second},
		`level=DEBUG msg="bulkhead: rejected"`: {Kind: mettle.Rejected, Policy: "bulkhead"},
		`level=WARN msg="breaker: state changed" from=closed to=open after=1m0s calls=20 failures=8 error=down`: {
			Kind: mettle.StateChanged, Policy: "breaker", From: "closed", To: "open", After: time.Minute, Calls: 20, Failures: 8, Err: errDown},
		`level=INFO msg="breaker: state changed" from=half-open to=closed after=1s calls=3 failures=0`: {
			Kind: mettle.StateChanged, Policy: "breaker", From: "half-open", To: "closed", After: time.Second, Calls: 3},
		`level=WARN msg="timeout: timed out" after=1s error=down`: {Kind: mettle.TimedOut, Policy: "timeout", After: time.Second, Err: errDown},
		`level=WARN msg="hedge: hedge" attempt=2`:                 {Kind: mettle.Hedged, Policy: "hedge", Attempt: 2},
		`level=WARN msg="fallback: fallback" error=down`:          {Kind: mettle.FellBack, Policy: "fallback", Err: errDown},
		`level=WARN msg="x: unknown"`:                             {Policy: "x"},
	} {
		var b bytes.Buffer
		mettle.Log(plain(&b, slog.LevelDebug))(t.Context(), e)
		if got := strings.TrimSpace(b.String()); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestLogHeedsTheLevel(t *testing.T) {
	var b bytes.Buffer
	observe := mettle.Log(plain(&b, slog.LevelWarn))
	observe(t.Context(), mettle.Event{Kind: mettle.Rejected, Policy: "breaker"})
	observe(t.Context(), mettle.Event{Kind: mettle.StateChanged, Policy: "breaker", To: "closed"})
	if b.Len() > 0 {
		t.Errorf("written below the level: %s", b.String())
	}
}

// The default logger is looked up when an event comes, not when the observer is made.
func TestLogUsesTheDefaultOfTheMoment(t *testing.T) {
	observe := mettle.Log(nil)
	before, out, flags := slog.Default(), log.Writer(), log.Flags() // SetDefault redirects package log too
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(out)
		log.SetFlags(flags)
	}()
	var b bytes.Buffer
	slog.SetDefault(plain(&b, slog.LevelDebug))
	observe(context.Background(), mettle.Event{Kind: mettle.TimedOut, Policy: "timeout"})
	if !strings.Contains(b.String(), "timeout: timed out") {
		t.Errorf("the default logger got %q", b.String())
	}
}
