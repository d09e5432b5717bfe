package mettletest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
)

// quickly is the patience of tests that wait for a deadlock to be seen.
const quickly = 20 * time.Millisecond

// caughtBy returns the names of the checks that c does not pass.
func caughtBy(t *testing.T, checks []check, c Config) []string {
	t.Helper()
	var names []string
	for _, k := range checks {
		err := k.judge(t, c, quickly)
		if _, skipped := errors.AsType[notApplicable](err); err != nil && !skipped {
			names = append(names, k.name)
			t.Logf("%s: %.300s", k.name, strings.ReplaceAll(err.Error(), "\n", " | "))
		}
	}
	return names
}

func TestBrokenPoliciesAreCaught(t *testing.T) {
	for _, tc := range []struct {
		fault string
		new   func(mettle.Observer) mettle.Policy
		want  string // the checks that see it, in their order
	}{
		{"none", plain(func(ctx context.Context, fn function) error { return fn(ctx) }), ""},
		{"none, retries", plain(repeats(func(ctx context.Context, last error) error { return pauses(ctx, last, last) })), ""},
		{"none, watched", watching(func(*watched) {}), ""},
		{"none, described", watching(describing(mettle.Metric{Name: "calls_1", Value: 1})), ""},
		{"none, hedges", func(mettle.Observer) mettle.Policy { return hedger{2, true} }, ""},

		{"swallows errors", plain(swallows), "error context concurrent"},
		{"makes its own errors", plain(retells), "error context concurrent"},
		{"calls failures rejected", plain(callsItRejected), "error rejection concurrent"},
		{"does nothing", plain(doesNothing), "success value error rejection context places panic goexit concurrent"},
		{"returns the context's error without running", plain(looksFirst), "rejection"},
		{"forks and keeps nothing", plain(forgetsToKeep), "value concurrent"},
		{"drops values", plain(dropsValues), "context"},
		{"drops the deadline", plain(dropsDeadline), "context"},
		{"drops the cause", plain(dropsCause), "context"},
		{"cancels late", plain(cancelsLate), "context"},
		{"recovers panics", plain(recovers), "panic"},
		{"throws panics again", plain(throwsAgain), "panic"},
		{"throws another panic", plain(throwsOther), "panic"},
		{"runs in another goroutine", plain(elsewhere), "panic goexit"},
		{"abandons the function", plain(abandons), "ended goroutines"},
		{"leaks until the caller's context ends", plain(leaksUntilCanceled), "goroutines"},
		{"runs again later", plain(runsAgainLater), "ended goroutines places"},
		{"sleeps through a cancellation", plain(repeats(sleepsOn)), "waiting"},
		{"loses the error", plain(repeats(func(ctx context.Context, last error) error { return pauses(ctx, last, context.Canceled) })), "waiting"},
		{"goes on after a cancellation", plain(repeats(func(ctx context.Context, last error) error { return pauses(ctx, last, nil) })), "waiting"},
		{"mixes up results", func(mettle.Observer) mettle.Policy { return new(crossed) }, "concurrent"},
		{"tells under a mutex", watching(func(w *watched) { w.tell = true }), "observer"},
		{"tells under a channel", watching(func(w *watched) { w.tell = true; w.Locker = make(channelLock, 1) }), "observer"},
		{"tells of nothing", watching(func(w *watched) { w.events.Kind = 0 }), "observer"},
		{"tells as another", watching(func(w *watched) { w.events.Name = "two" }), "observer"},
		{"describes only when idle", watching(func(w *watched) { w.slow = true }), "describe"},
		{"has no kind", watching(func(w *watched) { w.desc = func(int64) mettle.Description { return mettle.Description{} } }), "observer describe"},
		{"changes its name", watching(func(w *watched) {
			w.desc = func(n int64) mettle.Description { return mettle.Description{Kind: "toy", Name: "one"[:n%4]} }
		}), "observer describe"},
		{"counts what is no number", watching(describing(notANumber)), "describe"},
		{"counts twice", watching(describing(mettle.Metric{Name: "a"}, mettle.Metric{Name: "a"})), "describe"},
		{"counts in capitals", watching(describing(mettle.Metric{Name: "Calls"})), "describe"},
		{"overlaps on one branch", func(mettle.Observer) mettle.Policy { return hedger{1, true} }, "overlap"},
		{"overlaps without a branch", func(mettle.Observer) mettle.Policy { return hedger{0, false} }, "overlap"},
		{"overlaps and keeps nothing", func(mettle.Observer) mettle.Policy { return hedger{2, false} }, "value concurrent overlap"},
		{"is nil", func(mettle.Observer) mettle.Policy { return nil }, strings.Join(names(policyChecks), " ")},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			if raceEnabled && tc.want == "overlap" {
				t.Skip("what is broken here is a data race")
			}
			if got := strings.Join(caughtBy(t, policyChecks, Config{New: tc.new}), " "); got != tc.want {
				t.Errorf("caught by %q, want %q", got, tc.want)
			}
		})
	}
}

// A goroutine that stays for good is seen by every check, since no bubble can end with it. Only two are made: it stays in this
// process too.
func TestAGoroutineLeftForGoodIsCaught(t *testing.T) {
	for _, k := range policyChecks {
		if k.name != "success" && k.name != "goroutines" {
			continue
		}
		err := k.judge(t, Config{New: func(mettle.Observer) mettle.Policy { return new(leaky) }}, quickly)
		if err == nil || !strings.Contains(err.Error(), "left") || !strings.Contains(err.Error(), "(*leaky).Do") {
			t.Errorf("%s says %v, want whose goroutine is left", k.name, err)
		}
	}
}

func names(checks []check) []string {
	var all []string
	for _, k := range checks {
		all = append(all, k.name)
	}
	return all
}

func TestBrokenGatesAreCaught(t *testing.T) {
	all := slices.Concat(policyChecks, gateChecks)
	for _, tc := range []struct {
		fault   string
		c       Config
		want    string
		inStack string
	}{
		{"none", toys(false, func(*toyGate) {}), "", ""},
		{"none, with a queue", toys(true, func(*toyGate) {}), "", ""},
		{"runs what it rejects", toys(false, func(g *toyGate) { g.runsAnyway = true }), "rejection acquire", ""},
		{"rejects with an error of its own", toys(false, func(g *toyGate) { g.bareError = true }), "rejection concurrent turned-away", "rejection concurrent"},
		{"gives a permit beside a rejection", toys(false, func(g *toyGate) { g.permitBeside = true }), "turned-away", ""},
		{"leaks on an error", toys(false, func(g *toyGate) { g.leaksOnError = true }), "places", ""},
		{"leaks on a panic", toys(false, func(g *toyGate) { g.leaksOnPanic = true }), "places", ""},
		{"leaks on Goexit", toys(false, func(g *toyGate) { g.leaksOnGoexit = true }), "places", ""},
		{"leaks unfinished permits", toys(false, func(g *toyGate) { g.leaksUnfinished = true }), "acquire", "places"},
		{"leaks every permit", toys(false, func(g *toyGate) { g.leaksOnDone = true }), "acquire waiter", "places"},
		{"acquires for nothing", toys(false, func(g *toyGate) { g.freeAcquire = true }), "rejection acquire turned-away waiter", "rejection"},
		{"stays in the queue", toys(true, func(g *toyGate) { g.staysInLine = true }), "acquire waiter", ""},
		{"waits for ever", toys(true, func(g *toyGate) { g.deafWaiter = true }), "acquire waiter", ""},
		{"runs twice", toys(false, func(g *toyGate) { g.twice = true }), "gate", ""},
		{"wraps errors", toys(false, func(g *toyGate) { g.wraps = true }), "gate", ""},
		{"makes a context", toys(false, func(g *toyGate) { g.otherContext = true }), "gate", ""},
	} {
		t.Run(tc.fault, func(t *testing.T) {
			if got := strings.Join(caughtBy(t, all, tc.c), " "); got != tc.want {
				t.Errorf("caught by %q, want %q", got, tc.want)
			}
			if got := strings.Join(caughtBy(t, policyChecks, tc.c.stacked()), " "); got != tc.inStack {
				t.Errorf("in a stack caught by %q, want %q", got, tc.inStack)
			}
		})
	}
}
