package group_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mettle-go/mettle/group"
)

type user struct{ name string }

// userDB stands for a database.
type userDB map[int]string

func (db userDB) User(_ context.Context, id int) (user, error) {
	name, ok := db[id]
	if !ok {
		return user{}, fmt.Errorf("no user %d", id)
	}
	return user{name}, nil
}

func ExampleMap() {
	ctx := context.Background()
	db := userDB{1: "Ada", 2: "Grace", 3: "Barbara"}
	ids := []int{3, 1, 2}

	res, err := group.Map(ctx, ids, group.Config{Limit: 8, MaxFailures: 3}, db.User)
	fmt.Println(res, err)
	// Output: [{Barbara} {Ada} {Grace}] <nil>
}

func ExampleRun() {
	requests := make(chan string)
	serve := func(ctx context.Context) error {
		defer close(requests)
		for _, r := range []string{"a", "b", "c"} {
			select {
			case requests <- r:
			case <-ctx.Done(): // consume failed
				return ctx.Err()
			}
		}
		return nil
	}
	consume := func(context.Context) error {
		for r := range requests {
			fmt.Println(strings.ToUpper(r))
		}
		return nil
	}

	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(serve)
		g.Go(consume)
		return nil
	})
	fmt.Println(err)
	// Output:
	// A
	// B
	// C
	// <nil>
}

func ExampleRunWith() {
	err := group.RunWith(context.Background(), group.Config{Limit: 1, MaxFailures: 2}, func(g *group.Group) error {
		for _, shard := range []string{"north", "east", "south", "west"} {
			g.Go(func(context.Context) error {
				if shard == "east" || shard == "south" {
					return errors.New(shard + " is down")
				}
				return nil
			})
		}
		return nil
	})
	fmt.Println(err)
	// Output: group: 2 of 4 tasks failed, 1 never started: east is down; south is down
}

func ExampleConfig_Validate() {
	fmt.Println(group.Config{Limit: -4}.Validate())
	// Output: group: Config.Limit is -4, want 0 or more
}

func ExampleGroup_Go() {
	links := map[string][]string{"/": {"/docs", "/blog"}, "/docs": {"/docs/api"}}
	visited := make(chan string, 10)
	err := group.RunWith(context.Background(), group.Config{Limit: 1}, func(g *group.Group) error {
		var visit func(page string)
		visit = func(page string) {
			g.Go(func(context.Context) error {
				visited <- page
				for _, link := range links[page] {
					visit(link)
				}
				return nil
			})
		}
		visit("/")
		return nil
	})
	fmt.Println(len(visited), "pages,", err)
	// Output: 4 pages, <nil>
}

func ExampleGroup_Context() {
	err := group.Run(context.Background(), func(g *group.Group) error {
		g.Go(func(context.Context) error { return errors.New("disk full") })
		<-g.Context().Done()
		fmt.Println("stopped:", context.Cause(g.Context()))
		return nil
	})
	fmt.Println(err)
	// Output:
	// stopped: disk full
	// group: 1 of 1 task failed: disk full
}
