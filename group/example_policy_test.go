package group_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// Each item's call is retried by itself, with a timeout for each attempt. One policy serves all items.
func Example_policy() {
	calls := mettle.Compose(
		retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(time.Millisecond)}),
		timeout.After(time.Second),
	)
	var mu sync.Mutex
	seen := map[string]bool{}
	flaky := func(_ context.Context, city string) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if !seen[city] {
			seen[city] = true
			return 0, errors.New("connection reset")
		}
		return len(city), nil
	}

	res, err := group.Map(context.Background(), []string{"Rome", "Oslo", "Lisbon"}, group.Config{Limit: 2, Policy: calls}, flaky)
	fmt.Println(res, err)
	// Output: [4 4 6] <nil>
}
