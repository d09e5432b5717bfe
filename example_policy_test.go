package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// A policy is one function; it need not import anything of this module but, for PolicyFunc, its name.
func ExamplePolicyFunc() {
	timed := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error {
		start := time.Now()
		err := fn(ctx)
		fmt.Println("took less than a minute:", time.Since(start) < time.Minute)
		return err
	})
	v, err := mettle.Call(context.Background(), timed, func(context.Context) (int, error) { return 42, nil })
	fmt.Println(v, err)
	// Output:
	// took less than a minute: true
	// 42 <nil>
}

// A race starts two runs of a function at once and keeps the result of the first that succeeds.
type race struct{}

func (race) Do(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		branch *mettle.Branch
		err    error
	}
	ends := make(chan end)
	for range 2 {
		branched, b := mettle.Fork(ctx) // each run has a branch of its own
		go func() { ends <- end{b, fn(branched)} }()
	}
	first := <-ends
	if first.err == nil {
		cancel()
	}
	second := <-ends // wait for both: no goroutine outlives the call
	if first.err != nil {
		first, second = second, first
	}
	if first.err == nil {
		first.branch.Keep() // only now does its value count
		second.branch.Drop()
	}
	return first.err
}

func ExampleFork() {
	var runs atomic.Int64
	v, err := mettle.Call(context.Background(), race{}, func(ctx context.Context) (string, error) {
		if runs.Add(1) == 1 {
			<-ctx.Done() // the first run hangs
			return "slow", ctx.Err()
		}
		return "fast", nil
	})
	fmt.Println(v, err)
	// Output: fast <nil>
}

// A Switch is a gate as users may write it: an operator closes it by hand.
type Switch struct {
	off    atomic.Bool
	inside atomic.Int64
}

var ErrOff = errors.New("switch: off")

func (s *Switch) Acquire(ctx context.Context) (mettle.Permit, error) {
	if s.off.Load() {
		return mettle.Permit{}, mettle.Reject("switch", "", ErrOff, nil)
	}
	s.inside.Add(1)
	return mettle.NewPermit(ctx, s, 0), nil
}

// Release hears of every admitted call once, also of one that panicked.
func (s *Switch) Release(context.Context, uint64, error) { s.inside.Add(-1) }

func (s *Switch) Do(ctx context.Context, fn func(context.Context) error) (err error) {
	permit, err := s.Acquire(ctx)
	if err != nil {
		return err
	}
	err = mettle.ErrUnfinished
	defer func() { permit.Done(err) }()
	return fn(ctx)
}

func ExampleNewPermit() {
	s := &Switch{}
	stack := mettle.Compose(retry.New(retry.Config{}), s)
	call := func() error {
		return stack.Do(context.Background(), func(context.Context) error {
			fmt.Println("inside:", s.inside.Load())
			return nil
		})
	}
	fmt.Println(call(), s.inside.Load())
	s.off.Store(true)
	fmt.Println(call())
	// Output:
	// inside: 1
	// <nil> 0
	// mettle: rejected by switch: switch: off
}

// A rejection tells who turned the call away and, if known, when to come back.
func ExampleReject() {
	maintenance := errors.New("maintenance")
	closed := mettle.PolicyFunc(func(context.Context, func(context.Context) error) error {
		return mettle.Reject("window", "users-db", maintenance, func() (time.Duration, bool) { return time.Minute, true })
	})
	err := closed.Do(context.Background(), func(context.Context) error { return nil })

	fmt.Println(err)
	fmt.Println(errors.Is(err, mettle.ErrRejected), errors.Is(err, maintenance))
	if r, ok := errors.AsType[*mettle.RejectedError](err); ok {
		fmt.Println(r.RetryAfter())
	}
	// Output:
	// mettle: rejected by window users-db: maintenance
	// true true
	// 1m0s true
}

// The two-step form of a gate serves streams and hand-written flow.
func ExampleGate() {
	var gate mettle.Gate = &Switch{}

	stream := func(ctx context.Context) (err error) {
		permit, err := gate.Acquire(ctx)
		if err != nil {
			return err // nothing ran
		}
		err = mettle.ErrUnfinished // what the gate hears if the code below panics
		defer func() { permit.Done(err) }()
		fmt.Println("streaming")
		return nil
	}
	fmt.Println(stream(context.Background()))
	// Output:
	// streaming
	// <nil>
}
