package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

type User struct{ Name string }

// flaky fails twice and then works, like many a database.
func flaky() func(ctx context.Context, id int) (User, error) {
	calls := 0
	return func(_ context.Context, id int) (User, error) {
		if calls++; calls < 3 {
			return User{}, errors.New("connection reset")
		}
		return User{Name: fmt.Sprintf("user %d", id)}, nil
	}
}

func ExampleCompose() {
	users := mettle.Compose( // outermost first
		retry.New(retry.Config{Attempts: 4, Backoff: retry.Constant(0)}),
		breaker.New(breaker.Config{Name: "users-db"}),
		bulkhead.New(bulkhead.Config{Limit: 32, Queue: 64}),
		timeout.After(200*time.Millisecond), // each attempt
	)
	fmt.Println(users)

	get := flaky()
	u, err := mettle.Call(context.Background(), users, func(ctx context.Context) (User, error) { return get(ctx, 7) })
	fmt.Println(u.Name, err)
	// Output:
	// retry > breaker users-db > bulkhead > timeout
	// user 7 <nil>
}

func ExampleCall() {
	again := retry.New(retry.Config{Backoff: retry.Constant(0)})
	get := flaky()

	u, err := mettle.Call(context.Background(), again, func(ctx context.Context) (User, error) { return get(ctx, 7) })
	fmt.Println(u.Name, err)
	// Output: user 7 <nil>
}

func ExampleBind() {
	answer := mettle.Bind(timeout.After(time.Second), func(context.Context) (int, error) { return 42, nil })

	fmt.Println(answer(context.Background()))
	// Output: 42 <nil>
}

// Wrap is a decorator: the function keeps its signature.
func ExampleWrap() {
	again := retry.New(retry.Config{Backoff: retry.Constant(0)})
	getUser := mettle.Wrap(again, flaky())

	u, err := getUser(context.Background(), 7)
	fmt.Println(u.Name, err)
	// Output: user 7 <nil>
}

func ExampleFallback() {
	primary := func(context.Context) (User, error) { return User{}, errors.New("primary is down") }
	replica := func(context.Context) (User, error) { return User{}, errors.New("replica lags") }
	cache := func(context.Context) (User, error) { return User{"from the cache"}, nil }

	load := mettle.Fallback(mettle.Bind(timeout.After(time.Second), primary), replica, cache)
	u, err := load(context.Background())
	fmt.Println(u.Name, err)

	_, err = mettle.Fallback(primary, replica)(context.Background())
	fmt.Println(err)
	// Output:
	// from the cache <nil>
	// mettle: all fallbacks failed: primary is down; then replica lags
}

// A link only for rejections: where the breaker is open, an old value will do; any other error is for the caller.
func ExampleWhen() {
	rejected := func(err error) bool { return errors.Is(err, mettle.ErrRejected) }
	stale := func(context.Context) (User, error) { return User{"from the cache"}, nil }
	primary := func(context.Context) (User, error) { return User{}, errors.New("no such user") }
	open := mettle.PolicyFunc(func(context.Context, func(context.Context) error) error {
		return mettle.Reject("breaker", "users-db", breaker.ErrOpen, nil)
	})

	u, err := mettle.Fallback(primary, mettle.When(rejected, stale))(context.Background())
	fmt.Printf("%q %v\n", u.Name, err)
	u, err = mettle.Fallback(mettle.Bind(open, primary), mettle.When(rejected, stale))(context.Background())
	fmt.Printf("%q %v\n", u.Name, err)
	// Output:
	// "" no such user
	// "from the cache" <nil>
}

func ExamplePermanent() {
	again := retry.New(retry.Config{Attempts: 5, Backoff: retry.Constant(0)})
	errNoUser := errors.New("no such user")

	calls := 0
	err := again.Do(context.Background(), func(context.Context) error {
		calls++
		return mettle.Permanent(errNoUser) // no further attempt can find him
	})
	fmt.Println(calls, errors.Is(err, errNoUser), errors.Is(err, retry.ErrPermanent))
	// Output: 1 true true
}

// Log writes what happens to a slog.Logger.
func ExampleLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{} // for this example's output
			}
			return a
		},
	}))
	again := retry.New(retry.Config{Name: "users-db", Backoff: retry.Constant(0), Observer: mettle.Log(logger)})

	mettle.Wrap(again, flaky())(context.Background(), 7)
	// Output:
	// level=WARN msg="retry: retry" name=users-db attempt=1 of=3 wait=0s error="connection reset"
	// level=WARN msg="retry: retry" name=users-db attempt=2 of=3 wait=0s error="connection reset"
}

// Judge is for policies written elsewhere, so that they count as the others do.
func ExampleJudge() {
	notFound := errors.New("not found")
	classify := func(err error) mettle.Verdict {
		if errors.Is(err, notFound) {
			return mettle.Success // the dependency is well and has answered
		}
		return mettle.Failure
	}
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println(mettle.Judge(ctx, nil, classify))
	fmt.Println(mettle.Judge(ctx, notFound, classify))
	fmt.Println(mettle.Judge(ctx, errors.New("connection reset"), classify))
	fmt.Println(mettle.Judge(ctx, context.DeadlineExceeded, classify))
	cancel()
	fmt.Println(mettle.Judge(ctx, errors.New("connection reset"), classify))
	// Output:
	// success
	// success
	// failure
	// failure
	// ignore
}

func ExampleStack_Policies() {
	stack := mettle.Compose(retry.New(retry.Config{Name: "users"}), bulkhead.New(bulkhead.Config{Limit: 32}))
	for _, p := range stack.Policies() {
		if d, ok := p.(mettle.Describer); ok {
			desc := d.Describe()
			fmt.Println(desc.Kind, desc.Name, desc.Limit)
		}
	}
	// Output:
	// retry users 3
	// bulkhead  32
}
