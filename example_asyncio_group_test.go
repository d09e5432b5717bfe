package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/timeout"
)

// The code of docs/from-asyncio.md, with what its snippets need around them: see TestFromAsyncioShowsTheExamples.

// asyncioDB stands for a database whose calls take a context.
type asyncioDB map[int]string

func (db asyncioDB) User(_ context.Context, id int) (string, error) {
	if name, ok := db[id]; ok {
		return name, nil
	}
	return "", fmt.Errorf("user %d: %w", id, fs.ErrNotExist)
}

func Example_asyncioGather() {
	ctx, db, ids := context.Background(), asyncioDB{1: "Ada", 2: "Grace"}, []int{2, 1}

	users, err := group.Map(ctx, ids, group.Config{Limit: 8}, db.User)

	fmt.Println(users, err)
	// Output: [Grace Ada] <nil>
}

func Example_asyncioGatherExceptions() {
	ctx, db, ids := context.Background(), asyncioDB{1: "Ada", 2: "Grace"}, []int{2, 7, 1}

	for _, user := range group.Settle(ctx, ids, group.Config{}, db.User) {
		if user.Err != nil {
			fmt.Println("failed:", user.Err)
			continue
		}
		fmt.Println(user.Value)
	}

	// Output:
	// Grace
	// failed: user 7: file does not exist
	// Ada
}

func Example_asyncioTaskGroup() {
	ctx, requests := context.Background(), make(chan string, 2)
	serve := func(context.Context) error {
		defer close(requests)
		requests <- "a"
		requests <- "b"
		return nil
	}
	consume := func(context.Context) error {
		for r := range requests {
			fmt.Println(r)
		}
		return nil
	}

	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(serve)
		g.Go(consume)
		return nil
	})

	fmt.Println(err)
	// Output:
	// a
	// b
	// <nil>
}

func Example_asyncioExceptStar() {
	ctx, db := context.Background(), asyncioDB{1: "Ada"}
	load := func(ctx context.Context) error { _, err := db.User(ctx, 7); return err }
	check := func(context.Context) error { return errors.New("disk full") }

	err := group.RunWith(ctx, group.Config{MaxFailures: -1}, func(g *group.Group) error {
		g.Go(load)
		g.Go(check)
		return nil
	})
	missing := func(err error) bool { return errors.Is(err, fs.ErrNotExist) }
	err = group.Handle(err, group.If(missing, func(part *group.Error) error {
		fmt.Println("not there:", part)
		return nil
	}))

	fmt.Println(err)
	// Output:
	// not there: group: 1 of 2 tasks failed: user 7: file does not exist
	// group: 1 of 2 tasks failed: disk full
}

func Example_asyncioWaitFor() {
	ctx := context.Background()
	query := func(ctx context.Context) (string, error) {
		<-ctx.Done() // hangs
		return "", ctx.Err()
	}

	answer, err := mettle.Call(ctx, timeout.After(time.Millisecond), query)
	if errors.Is(err, context.DeadlineExceeded) {
		answer = "no answer in time"
	}

	fmt.Println(answer)
	// Output: no answer in time
}

func Example_asyncioSemaphore() {
	ctx, db, ids := context.Background(), asyncioDB{1: "Ada"}, []int{1}

	users, err := group.Map(ctx, ids, group.Config{Limit: 10}, db.User)

	fmt.Println(users, err)

	places := bulkhead.New(bulkhead.Config{Name: "users-db", Limit: 10, Queue: 1000})
	getUser := mettle.Wrap(places, db.User)

	user, err := getUser(ctx, 1)

	fmt.Println(user, err)
	// Output:
	// [Ada] <nil>
	// Ada <nil>
}

func Example_asyncioEvent() {
	ctx := context.Background()

	ready := make(chan struct{})
	err := group.Run(ctx, func(g *group.Group) error {
		for range 3 {
			g.Go(func(ctx context.Context) error {
				select {
				case <-ready: // for everyone who waits
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}
		close(ready) // set
		return nil
	})

	fmt.Println(err)
	// Output: <nil>
}
