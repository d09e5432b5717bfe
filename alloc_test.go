package mettle_test

import (
	"context"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// usual is the stack of the package's description.
func usual() *mettle.Stack {
	return mettle.Compose(
		retry.New(retry.Config{Attempts: 4, Backoff: retry.Constant(0)}),
		breaker.New(breaker.Config{Name: "users-db"}),
		bulkhead.New(bulkhead.Config{Limit: 32, Queue: 64}),
		timeout.After(time.Minute),
	)
}

// user is what the functions of these tests return: too large for an interface's word.
type user struct {
	id   int
	name string
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	ctx := request(t)
	stack := usual()
	again := retry.New(retry.Config{Backoff: retry.Constant(0), Budget: retry.Unlimited})
	bound := timeout.After(time.Minute)
	br, bh := breaker.New(breaker.Config{}), bulkhead.New(bulkhead.Config{Limit: 1})
	observed := retry.New(retry.Config{Backoff: retry.Constant(0), Budget: retry.Unlimited, Observer: func(context.Context, mettle.Event) {}})
	id := 7
	var sink user
	for _, c := range []struct {
		name string
		most float64
		run  func()
	}{
		{"the usual stack", 2, func() {
			id := id
			sink, _ = mettle.Call(ctx, stack, func(context.Context) (user, error) { return user{id, "ada"}, nil })
		}},
		{"the usual stack, Do", 3, func() {
			id := id
			stack.Do(ctx, func(context.Context) error { sink.id = id; return nil })
		}},
		{"the usual stack, fn asks for Done", 7, func() {
			id := id
			sink, _ = mettle.Call(ctx, stack, func(ctx context.Context) (user, error) { ctx.Done(); return user{id, "ada"}, nil })
		}},
		{"retry", 0, func() { again.Do(ctx, nothing) }},
		{"retry, Call", 0, func() {
			sink, _ = mettle.Call(ctx, again, func(context.Context) (user, error) { return user{}, nil })
		}},
		{"retry, two failures", 1, func() {
			n := 0
			again.Do(ctx, func(context.Context) error {
				if n++; n < 3 {
					return errDown
				}
				return nil
			})
		}},
		{"retry, two failures, observed", 1, func() {
			n := 0
			observed.Do(ctx, func(context.Context) error {
				if n++; n < 3 {
					return errDown
				}
				return nil
			})
		}},
		{"timeout", 1, func() { bound.Do(ctx, nothing) }},
		{"timeout, fn polls Err", 1, func() { bound.Do(ctx, func(ctx context.Context) error { return ctx.Err() }) }},
		{"breaker, Call", 0, func() {
			sink, _ = mettle.Call(ctx, br, func(context.Context) (user, error) { return user{}, nil })
		}},
		{"bulkhead, Call", 0, func() {
			sink, _ = mettle.Call(ctx, bh, func(context.Context) (user, error) { return user{}, nil })
		}},
		{"foreign policy", 4, func() {
			sink, _ = mettle.Call(ctx, pass, func(context.Context) (user, error) { return user{}, nil })
		}},
		{"Fork", 1, func() { mettle.Fork(ctx) }},
		{"judging a failure", 0, func() { mettle.Judge(ctx, errDown, nil) }},
	} {
		if got := testing.AllocsPerRun(1000, c.run); got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", c.name, got, c.most)
		}
	}
	if sink.name != "" && sink.name != "ada" {
		t.Errorf("the stack returned %v", sink)
	}
}
