package main

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/mettle-go/mettle/fetch"
)

func TestOutcome(t *testing.T) {
	all := fetch.Counts{Read: 10, AllRead: true, OK: 8, Failed: 2}
	half := fetch.Counts{Read: 1010, OK: 8, Failed: 2}
	open := fetch.Counts{Read: 10, OK: 8, Failed: 2}
	few := &fetch.FailuresError{Failed: 2, Results: 1010}
	lost := fmt.Errorf("%w: %w", fetch.ErrWrite, &fetch.SaveError{Path: "d/f", Err: syscall.ENOSPC})
	const again = "with -o FILE, the same command goes on where it stopped"
	for _, tt := range []struct {
		what   string
		counts fetch.Counts
		err    error
		signal int
		want   failure
	}{
		{"some failed", all, nil, 0, failure{code: exitSome}},
		{"a signal too late", all, nil, 130, failure{code: exitSome}},
		{"a signal", half, fetch.ErrStopped, 143, failure{code: 143, hint: again}},
		{"a second signal", half, errInterrupted, 130, failure{code: 130, hint: again}},
		{"a body that is lost", half, lost, 0, failure{exitOutput, "cannot save bodies: d/f: no space left on device", "free space, then " + again}},
		{"a body that is lost after a signal", half, lost, 130, failure{exitOutput, "cannot save bodies: d/f: no space left on device", "free space, then " + again}},
		{"a URL that is lost after a signal", half, fmt.Errorf("%w: no space", fetch.ErrWrite), 130, failure{exitOutput, "cannot write results: no space", again}},
		{"a result that is lost after a signal", half, errors.Join(fmt.Errorf("%w: %w", fetch.ErrWrite, cannotWrite("stdout", syscall.EPIPE)), fetch.ErrStopped), 130,
			failure{exitOutput, "cannot write results to stdout: broken pipe", ""}},
		{"failures", half, few, 0, failure{exitBudget, "stopped by --max-failures 7% when 2 of 1,010 failed, more than 1,000 still to do", again}},
		{"failures at the end", all, &fetch.FailuresError{Failed: 2, Results: 10}, 0, failure{exitBudget, "2 of 10 failed, which --max-failures 7% does not allow", ""}},
		{"failures before the end", open, &fetch.FailuresError{Failed: 2, Results: 10}, 0,
			failure{exitBudget, "stopped by --max-failures 7% when 2 of 10 failed, and the list goes on", again}},
		{"time", half, fetch.ErrTime, 0, failure{exitTime, "out of time, more than 1,000 still to do", again}},
		{"time before the end", open, fetch.ErrTime, 0, failure{exitTime, "out of time, and the list goes on", again}},
	} {
		err := outcome(tt.counts, tt.err, tt.signal, allowance{share: 7. / 100}, &output{})
		if f, ok := errors.AsType[*failure](err); !ok || *f != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.what, f, tt.want)
		}
	}
	if err := outcome(fetch.Counts{Read: 1, AllRead: true, OK: 1}, nil, 130, allowance{}, &output{}); err != nil {
		t.Errorf("all ok: %v", err)
	}
}
