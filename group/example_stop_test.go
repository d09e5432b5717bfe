package group_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
)

// A loop in the background fetches and stores until it is stopped. A Stop comes between two rounds or lets the running one
// end: nothing is fetched and not stored.
func Example_fetchAndStore() {
	again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(0)})
	attempts := 0
	fetch := func(context.Context) error {
		if attempts++; attempts%2 == 1 {
			return errors.New("connection reset")
		}
		return nil
	}
	ticks := make(chan time.Time) // stands for a time.Ticker's
	stored := make(chan int)

	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			for round := 1; ; round++ {
				select {
				case <-ticks:
				case <-g.Stopping():
					return nil
				}
				if err := again.Do(ctx, fetch); err != nil {
					return err
				}
				select {
				case stored <- round:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})

		for range 3 { // the program does its work
			ticks <- time.Now()
			fmt.Println("stored round", <-stored)
		}
		g.Stop(10 * time.Second)
		return nil
	})
	fmt.Println("stopped:", err)
	// Output:
	// stored round 1
	// stored round 2
	// stored round 3
	// stopped: <nil>
}

// What does not end within the grace is canceled.
func ExampleGroup_Stop() {
	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(context.Context) error {
			<-g.Stopping()
			fmt.Println("one task sees that it should end")
			return nil
		})
		g.Go(func(ctx context.Context) error {
			<-ctx.Done() // the other does not
			return ctx.Err()
		})
		g.Stop(time.Millisecond)
		return nil
	})
	fmt.Println(err)
	fmt.Println(errors.Is(err, group.ErrStopped))
	// Output:
	// one task sees that it should end
	// group: 1 of 2 tasks canceled: stopped
	// true
}

// A consumer ends between two jobs: when it is told to, when the scope is canceled, or when there are no more jobs.
func ExampleGroup_Stopping() {
	jobs := make(chan string, 3)
	jobs <- "a"
	jobs <- "b"
	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(context.Context) error {
			for {
				select {
				case job, more := <-jobs:
					if !more {
						return nil
					}
					fmt.Println("did", job)
					if job == "b" {
						g.Stop(time.Second)
					}
				case <-g.Stopping():
					return nil
				}
			}
		})
		return nil
	})
	fmt.Println(err)
	// Output:
	// did a
	// did b
	// <nil>
}
