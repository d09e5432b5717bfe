package mettletest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// The suites of the examples are run here, since an example has no *testing.T.
func TestExamplesKeepTheContract(t *testing.T) {
	t.Run("explained", testExplained)
	t.Run("seats", testSeats)
}

func ExampleNewScript() {
	// Fail, hang until the timeout, and then be well.
	dep := mettletest.NewScript(mettletest.Fail(errors.New("connection reset")), mettletest.Hang()).Then(mettletest.Succeed())
	calls := mettle.Compose(
		retry.New(retry.Config{Attempts: 5, Backoff: retry.Constant(0)}),
		timeout.After(time.Millisecond),
	)
	fmt.Println(calls.Do(context.Background(), dep.Run), dep.Calls())
	// Output: <nil> 3
}

// The value of Call is the number of the run that it came from.
func ExampleScript_Call() {
	dep := mettletest.NewScript(mettletest.Fail(errors.New("connection reset"))).Then(mettletest.Succeed())
	p := retry.New(retry.Config{Backoff: retry.Constant(0)})

	n, err := mettle.Call(context.Background(), p, dep.Call)
	fmt.Println(n, err)
	// Output: 2 <nil>
}

// A script without Then has an end, which no policy should run into.
func ExampleScript_Run() {
	dep := mettletest.NewScript(mettletest.Succeed())
	fmt.Println(dep.Run(context.Background()))
	fmt.Println(dep.Run(context.Background()))
	// Output:
	// <nil>
	// mettletest: the script has ended: call 2 of 1
}

func ExampleScript_Then() {
	dep := mettletest.NewScript(mettletest.Succeed()).Then(mettletest.Fail(errors.New("down")))
	for range 3 {
		fmt.Println(dep.Run(context.Background()))
	}
	// Output:
	// <nil>
	// down
	// down
}

// Any function is a step.
func ExampleStep() {
	type userKey struct{}
	dep := mettletest.NewScript(func(ctx context.Context) error {
		return fmt.Errorf("%v may not", ctx.Value(userKey{}))
	})
	fmt.Println(dep.Run(context.WithValue(context.Background(), userKey{}, "Ann")))
	// Output: Ann may not
}

// Until holds calls where a test wants them.
func ExampleUntil() {
	release := make(chan struct{})
	held := make(chan struct{})
	dep := mettletest.NewScript(func(ctx context.Context) error {
		close(held)
		return mettletest.Until(release, mettletest.Succeed())(ctx)
	})
	one := bulkhead.New(bulkhead.Config{Limit: 1})
	ended := make(chan error)
	go func() { ended <- one.Do(context.Background(), dep.Run) }()
	<-held
	fmt.Println(errors.Is(one.Do(context.Background(), dep.Run), bulkhead.ErrFull), dep.Running())
	close(release)
	fmt.Println(<-ended, dep.Running(), dep.Calls(), dep.Peak())
	// Output:
	// true 1
	// <nil> 0 1 1
}

func ExampleSlow() {
	step := mettletest.Slow(time.Hour, mettletest.Succeed())
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(step(ctx))
	// Output: context deadline exceeded
}

func ExampleDeaf() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	step := mettletest.Deaf(time.Millisecond, mettletest.Succeed())
	fmt.Println(step(ctx))
	// Output: <nil>
}

func ExampleRecorder() {
	var rec mettletest.Recorder
	p := retry.New(retry.Config{Name: "users", Backoff: retry.Constant(0), Observer: rec.Observe})
	dep := mettletest.NewScript(mettletest.Fail(errors.New("reset")), mettletest.Fail(errors.New("refused"))).Then(mettletest.Succeed())
	p.Do(context.Background(), dep.Run)

	fmt.Println(rec.Kinds())
	for _, e := range rec.Events() {
		fmt.Println(e.Name, e.Attempt, e.Err)
	}
	rec.Reset()
	fmt.Println(len(rec.Events()))
	// Output:
	// [retry retry]
	// users 1 reset
	// users 2 refused
	// 0
}

func ExampleSucceed() {
	fmt.Println(mettletest.Succeed()(context.Background()))
	// Output: <nil>
}

func ExampleFail() {
	fmt.Println(mettletest.Fail(errors.New("down"))(context.Background()))
	// Output: down
}

func ExampleHang() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(mettletest.Hang()(ctx))
	// Output: context deadline exceeded
}

func ExamplePanic() {
	b := bulkhead.New(bulkhead.Config{Limit: 1})
	func() {
		defer func() { fmt.Println("recovered", recover()) }()
		b.Do(context.Background(), mettletest.Panic("out of range"))
	}()
	fmt.Println(b.Do(context.Background(), mettletest.Succeed()))
	// Output:
	// recovered out of range
	// <nil>
}
