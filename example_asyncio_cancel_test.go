package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/group"
)

func Example_asyncioCancel() {
	waiting, released := make(chan struct{}), false
	release := func() { released = true }
	poll := func(ctx context.Context) error { close(waiting); <-ctx.Done(); return ctx.Err() }
	ctx, cancel := context.WithCancel(context.Background())

	work := func(ctx context.Context) error {
		defer release()  // runs, however poll ends
		return poll(ctx) // returns ctx.Err() once it is canceled
	}

	go func() {
		<-waiting
		cancel()
	}()
	err := group.Run(ctx, func(g *group.Group) error { g.Go(work); return nil })
	fmt.Println(errors.Is(err, context.Canceled), released)
	// Output: true true
}

func Example_asyncioExecutor() {
	ctx, inputs := context.Background(), []int{1, 2, 3}
	hash := func(_ context.Context, n int) (int, error) { return n * n, nil } // stands for a blocking or computing call

	sums, err := group.Map(ctx, inputs, group.Config{Limit: 4}, hash)

	fmt.Println(sums, err)
	// Output: [1 4 9] <nil>
}

func Example_asyncioToThread() {
	ctx, cancel := context.WithCancel(context.Background())
	never := make(chan string)
	lookUp := func(string) (string, error) {
		cancel() // the caller's time is up
		return <-never, nil
	}

	name, err := group.Detach(ctx, func() (string, error) { return lookUp("192.0.2.7") })
	if errors.Is(err, group.ErrDetached) { // ctx has ended, lookUp has not
		name = "unknown"
	}

	fmt.Println(name, err)
	close(never)
	// Output: unknown group: left running: context canceled
}

func Example_asyncioShield() {
	ctx, cancel := context.WithCancel(context.Background())
	pay := func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	rollBack := func(ctx context.Context) error {
		fmt.Println("roll back, canceled:", ctx.Err() != nil)
		return nil
	}
	commit := func(ctx context.Context) error {
		fmt.Println("commit, canceled:", ctx.Err() != nil)
		return nil
	}

	transfer := func(ctx context.Context) error {
		err := pay(ctx)
		if err == nil {
			return nil
		}
		if undo := group.Cleanup(ctx, 5*time.Second, rollBack); undo != nil {
			return fmt.Errorf("roll back after %v: %w", err, undo) // a failure, also if err is a cancellation
		}
		return err
	}

	fmt.Println(transfer(ctx))

	err := group.Cleanup(ctx, 5*time.Second, commit)

	fmt.Println(err)
	// Output:
	// roll back, canceled: false
	// context canceled
	// commit, canceled: false
	// <nil>
}

func Example_asyncioBackground() {
	ctx, refreshed := context.Background(), make(chan struct{})
	rounds := 0
	refresh := func(context.Context) error { rounds++; close(refreshed); return nil }
	serve := func(context.Context) error { <-refreshed; return nil }

	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			for {
				if err := refresh(ctx); err != nil {
					return err
				}
				select {
				case <-time.After(time.Minute):
				case <-g.Stopping():
					return nil
				}
			}
		})
		err := serve(g.Context())
		g.Stop(10 * time.Second)
		return err
	})

	fmt.Println("rounds:", rounds, err)
	// Output: rounds: 1 <nil>
}
