package mettletest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
)

// callerKey is where the suite's callers put a value.
type callerKey struct{}

var (
	errLeft = errors.New("mettletest: the caller left")
	errLate = errors.New("mettletest: the caller's time was up")
	errDown = errors.New("mettletest: down")
)

func tryContext(tr *trial) {
	p := tr.policy(nil)
	base := context.WithValue(context.Background(), callerKey{}, "the caller's")
	due := time.Now().Add(slow)
	late, done := context.WithDeadlineCause(base, due, errLate)
	defer done()
	ctx, cancel := context.WithCancelCause(late)
	defer cancel(nil)

	// The first run says what it saw; it has begun when started is closed and writes no more when seen is.
	started, seen := make(chan struct{}), make(chan struct{})
	var value any
	var deadline time.Time
	var stopped bool
	var after, cause error
	dep := NewScript(func(ctx context.Context) error {
		defer close(seen)
		if value = ctx.Value(callerKey{}); value == nil {
			close(started)
			return nil
		}
		deadline, _ = ctx.Deadline()
		close(started)
		t := time.NewTimer(2 * slow)
		defer t.Stop()
		select {
		case <-ctx.Done():
			stopped = true
		case <-t.C:
		}
		after, cause = ctx.Err(), context.Cause(ctx)
		return after
	}).Then(Hang())
	call := start(func() error { return p.Do(ctx, dep.Run) })
	select {
	case <-started:
	case <-call.done:
		tr.fatalf("Do returned %v without running the function", call.out.err)
	}
	if value != "the caller's" {
		tr.fatalf("the function's context has %v where the caller's has a value", value)
	}
	if deadline.IsZero() || deadline.After(due) {
		tr.fatalf("the function's context has the deadline %v, want the caller's, %v, or an earlier one", deadline, due)
	}
	synctest.Wait()
	canceled := time.Now()
	cancel(errLeft)
	select {
	case <-seen:
	case <-call.done:
		<-seen // Do is early, which another check says
	}
	if !stopped || time.Since(canceled) > 0 {
		tr.fatalf("the caller's context was canceled, and the function's context had not ended %v later", time.Since(canceled))
	}
	if !errors.Is(after, context.Canceled) || !errors.Is(cause, errLeft) {
		tr.fatalf("the function's context ended by %v, its cause is %v; want context.Canceled and the caller's cause, %v", after, cause, errLeft)
	}
	if err := tr.returned(call); !errors.Is(err, context.Canceled) {
		tr.fatalf("the caller canceled and the function returned %v, but Do returned %v", after, err)
	}
}

func tryWaiting(tr *trial) {
	tr.interrupt(tr.policy(nil), false, "after a failed run")
	if p := tr.rejecting(nil); p != nil {
		tr.interrupt(p, true, "before a rejection")
	}
	p := tr.policy(nil) // may take its time
	due := 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), due)
	defer cancel()
	begun := time.Now()
	tr.do(ctx, p, Fail(errDown))
	if took := time.Since(begun); took > due {
		tr.fatalf("Do returned after %v, where the caller's deadline was after %v and the function takes no time", took, due)
	}
}

// interrupt cancels a call of p that waits, if it does.
func (tr *trial) interrupt(p mettle.Policy, rejects bool, when string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	dep := NewScript().Then(Fail(errDown))
	call := start(func() error { return p.Do(ctx, dep.Run) })
	synctest.Wait()
	if call.ended() {
		return
	}
	runs := dep.Calls()
	cancel(errLeft)
	synctest.Wait()
	if !call.ended() {
		tr.fatalf("Do waits %s and goes on waiting though its caller's context has ended", when)
	}
	if dep.Calls() != runs {
		tr.fatalf("the function ran again %s and after the caller's context had ended", when)
	}
	err := tr.returned(call)
	switch {
	case runs > 0 && !errors.Is(err, errDown):
		tr.fatalf("a wait %s was canceled, and Do returned %v, in which the function's error is lost", when, err)
	case runs == 0 && rejects && !errors.Is(err, mettle.ErrRejected):
		tr.fatalf("a wait %s was canceled, and Do returned %v, which is not mettle.ErrRejected", when, err)
	}
}
