package ratelimit_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/retry"
)

// A polite client: whatever its goroutines want, at most 200 requests a second leave, one after the other, and each attempt of a retry is one of
// them. A request that would have to wait for more than 10 s fails at once.
func Example_client() {
	api := mettle.Compose( // outermost first
		retry.New(retry.Config{Attempts: 3}),
		ratelimit.New(ratelimit.Config{Name: "api", Rate: 200, Burst: 1, MaxWait: 10 * time.Second}),
	)
	get := func(ctx context.Context) (string, error) {
		return "ok", nil // in your program: http.DefaultClient.Do(req)
	}

	begun := time.Now()
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := mettle.Call(context.Background(), api, get); err != nil {
				fmt.Println(err)
			}
		})
	}
	wg.Wait()
	fmt.Println("not before 20 ms:", time.Since(begun) >= 20*time.Millisecond)
	// Output: not before 20 ms: true
}
