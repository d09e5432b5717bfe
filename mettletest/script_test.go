package mettletest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
)

func TestScriptFollowsItsSteps(t *testing.T) {
	errOther := errors.New("other")
	s := mettletest.NewScript(mettletest.Fail(errDown), mettletest.Succeed(), mettletest.Fail(errOther))
	for i, want := range []struct {
		n   int
		err error
	}{{0, errDown}, {2, nil}, {0, errOther}, {0, mettletest.ErrScriptEnded}, {0, mettletest.ErrScriptEnded}} {
		n, err := s.Call(context.Background())
		if n != want.n || !errors.Is(err, want.err) {
			t.Errorf("call %d returned %d, %v; want %d, %v", i+1, n, err, want.n, want.err)
		}
		if s.Calls() != i+1 {
			t.Errorf("after call %d Calls is %d", i+1, s.Calls())
		}
	}
}

func TestScriptThenGoesOn(t *testing.T) {
	s := mettletest.NewScript(mettletest.Fail(errDown)).Then(mettletest.Succeed())
	for n, want := range []error{errDown, nil, nil, nil} {
		if err := s.Run(context.Background()); err != want {
			t.Errorf("call %d returned %v, want %v", n+1, err, want)
		}
	}
}

// The end of a script is no failure that a retry should try again.
func TestScriptEndStopsARetry(t *testing.T) {
	s := mettletest.NewScript(mettletest.Fail(errDown))
	err := retry.New(retry.Config{Attempts: 9, Backoff: retry.Constant(0)}).Do(context.Background(), s.Run)
	if !errors.Is(err, mettletest.ErrScriptEnded) || !errors.Is(err, retry.ErrPermanent) || s.Calls() != 2 {
		t.Errorf("%d calls, and %v", s.Calls(), err)
	}
	if want := "mettletest: the script has ended: call 3 of 1"; s.Run(context.Background()).Error() != want {
		t.Errorf("the error is not %q", want)
	}
}

// A script is a copy: the caller's slice may change.
func TestScriptKeepsItsSteps(t *testing.T) {
	steps := []mettletest.Step{mettletest.Fail(errDown)}
	s := mettletest.NewScript(steps...)
	steps[0] = mettletest.Succeed()
	if err := s.Run(context.Background()); err != errDown {
		t.Errorf("got %v", err)
	}
}

func TestScriptMisuse(t *testing.T) {
	for want, misuse := range map[string]func(){
		"mettletest: NewScript: step 2 is nil, want a Step":     func() { mettletest.NewScript(mettletest.Succeed(), nil) },
		"mettletest: Script.Then: the step is nil, want a Step": func() { mettletest.NewScript().Then(nil) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panic is %v, want %s", got, want)
				}
			}()
			misuse()
		}()
	}
}

func TestSteps(t *testing.T) {
	for _, tc := range []struct {
		name string
		step mettletest.Step
		due  time.Duration // the caller's deadline
		took time.Duration
		err  error
	}{
		{"succeed", mettletest.Succeed(), time.Minute, 0, nil},
		{"fail", mettletest.Fail(errDown), time.Minute, 0, errDown},
		{"hang", mettletest.Hang(), time.Minute, time.Minute, context.DeadlineExceeded},
		{"slow in time", mettletest.Slow(time.Second, mettletest.Fail(errDown)), time.Minute, time.Second, errDown},
		{"slow too long", mettletest.Slow(time.Hour, mettletest.Succeed()), time.Minute, time.Minute, context.DeadlineExceeded},
		{"deaf in time", mettletest.Deaf(time.Second, mettletest.Fail(errDown)), time.Minute, time.Second, errDown},
		{"deaf too long", mettletest.Deaf(time.Hour, mettletest.Succeed()), time.Minute, time.Hour, nil},
		{"deaf, then hang", mettletest.Deaf(time.Hour, mettletest.Hang()), time.Minute, time.Hour, context.DeadlineExceeded},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), tc.due)
				defer cancel()
				begun := time.Now()
				if err := mettletest.NewScript(tc.step).Run(ctx); !errors.Is(err, tc.err) {
					t.Errorf("returned %v, want %v", err, tc.err)
				}
				if took := time.Since(begun); took != tc.took {
					t.Errorf("took %v, want %v", took, tc.took)
				}
			})
		})
	}
}

func TestScriptCountsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := mettletest.NewScript().Then(mettletest.Until(release, mettletest.Succeed()))
		places := bulkhead.New(bulkhead.Config{Limit: 3})
		var rejected sync.WaitGroup
		var calls sync.WaitGroup
		rejected.Add(5)
		for range 8 {
			calls.Go(func() {
				if places.Do(context.Background(), s.Run) != nil {
					rejected.Done()
				}
			})
		}
		rejected.Wait()
		synctest.Wait()
		if s.Calls() != 3 || s.Running() != 3 || s.Peak() != 3 {
			t.Errorf("calls %d, running %d, peak %d; want 3 of each", s.Calls(), s.Running(), s.Peak())
		}
		close(release)
		calls.Wait()
		s.Run(context.Background())
		if s.Calls() != 4 || s.Running() != 0 || s.Peak() != 3 {
			t.Errorf("calls %d, running %d, peak %d; want 4, 0, 3", s.Calls(), s.Running(), s.Peak())
		}
	})
}

func TestScriptPanicHasEnded(t *testing.T) {
	s := mettletest.NewScript(mettletest.Panic("boom"))
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				t.Errorf("recovered %v", v)
			}
		}()
		s.Run(context.Background())
	}()
	if s.Running() != 0 {
		t.Errorf("%d calls are running after a panic", s.Running())
	}
}

// Many callers at once get each step once, and each its own number.
func TestScriptIsShared(t *testing.T) {
	const crowd, each = 16, 100
	var steps []mettletest.Step
	for i := range crowd * each {
		steps = append(steps, mettletest.Fail(mettle.Reject("toy", "", errDown, nil)))
		if i%2 == 0 {
			steps[i] = mettletest.Succeed()
		}
	}
	s := mettletest.NewScript(steps...)
	var mu sync.Mutex
	numbers := make(map[int]bool)
	failures := 0
	var calls sync.WaitGroup
	for range crowd {
		calls.Go(func() {
			for range each {
				n, err := s.Call(context.Background())
				mu.Lock()
				if err != nil {
					failures++
				} else {
					numbers[n] = true
				}
				mu.Unlock()
			}
		})
	}
	calls.Wait()
	if failures != crowd*each/2 || len(numbers) != crowd*each/2 {
		t.Errorf("%d failures and %d numbers, want %d of each", failures, len(numbers), crowd*each/2)
	}
	if s.Running() != 0 || s.Peak() < 1 || s.Peak() > crowd {
		t.Errorf("running %d, peak %d", s.Running(), s.Peak())
	}
}
