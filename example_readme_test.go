package mettle_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// userDirectory stands for a client of some service.
type userDirectory struct{ names map[int]string }

func (d userDirectory) User(_ context.Context, id int) (string, error) { return d.names[id], nil }

// Its body is the Go code in README.md; see TestReadmeShowsTheExample.
func Example_readme() {
	ctx := context.Background()
	db := userDirectory{map[int]string{1: "Ada", 2: "Grace", 3: "Barbara", 7: "Edsger"}}
	// README:
	users := mettle.Compose( // outermost first
		retry.New(retry.Config{Name: "users", Attempts: 4}),
		breaker.New(breaker.Config{Name: "users", Observer: mettle.Log(nil)}),
		bulkhead.New(bulkhead.Config{Name: "users", Limit: 32, Queue: 64}),
		timeout.New(timeout.Config{Name: "users", After: 200 * time.Millisecond}), // each attempt
	)
	getUser := mettle.Wrap(users, db.User)

	u, err := getUser(ctx, 7)
	if err != nil {
		fmt.Println("user 7:", err)
	}
	// The first failure cancels the rest; MaxFailures: -1 tries all.
	all, err := group.Map(ctx, []int{1, 2, 3}, group.Config{Limit: 8}, getUser)
	if err != nil {
		fmt.Println("users 1 to 3:", err)
	}
	fmt.Println(u, all)
	// Output: Edsger [Ada Grace Barbara]
}
