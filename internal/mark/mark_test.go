package mark

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"
)

func TestRanHidesTheMarkAndNothingElse(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	rejected := fmt.Errorf("gate: %w: %w", ErrRejected, path)

	err := Ran(rejected)
	if errors.Is(err, ErrRejected) {
		t.Error("still rejected")
	}
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("lost what the rejection wraps")
	}
	if got, ok := errors.AsType[*fs.PathError](err); !ok || got != path {
		t.Errorf("AsType found %v, %v", got, ok)
	}
	if err.Error() != rejected.Error() {
		t.Errorf("text %q, want %q", err, rejected)
	}
	if wrapped := fmt.Errorf("outer: %w", err); errors.Is(wrapped, ErrRejected) {
		t.Error("rejected again once wrapped")
	}
	if again := Ran(err); again != err {
		t.Error("wrapped twice")
	}
}

func TestRanReturnsOtherErrorsAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, fs.ErrExist, errors.Join(fs.ErrExist, fs.ErrClosed)} {
		if got := Ran(err); got != err {
			t.Errorf("Ran(%v) = %v", err, got)
		}
	}
}

func TestPermanentIsItsError(t *testing.T) {
	err := &Permanent{Err: fs.ErrPermission}
	if err.Error() != fs.ErrPermission.Error() || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v is not %v", err, fs.ErrPermission)
	}
}

func TestEnded(t *testing.T) {
	gone := errors.New("gone")
	late, cancel := context.WithDeadlineCause(context.Background(), time.Unix(0, 0), gone)
	defer cancel()
	plain, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Ended(late); !errors.Is(err, gone) || !errors.Is(err, context.DeadlineExceeded) || err.Error() != "context deadline exceeded: gone" {
		t.Errorf("%v, want the deadline and its cause", err)
	}
	if err := Ended(plain); err != context.Canceled {
		t.Errorf("%v, want it as it is", err)
	}
}
