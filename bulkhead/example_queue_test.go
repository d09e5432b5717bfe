package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/bulkhead"
)

// Ten at a time, fifty more may wait, none longer than 30 s; the rest hears so at once.
func Example_queue() {
	b := bulkhead.New(bulkhead.Config{
		Name:    "reports",
		Limit:   10,
		Queue:   50,
		MaxWait: 30 * time.Second,
	})

	var done, rejected atomic.Int64
	all := make(chan struct{}) // closed when every caller is running, waiting or rejected
	var wg sync.WaitGroup
	for range 70 {
		wg.Go(func() {
			err := b.Do(context.Background(), func(context.Context) error {
				<-all
				return nil
			})
			if errors.Is(err, bulkhead.ErrFull) {
				if rejected.Add(1) == 10 {
					close(all)
				}
				return
			}
			done.Add(1)
		})
	}
	wg.Wait()
	fmt.Println(done.Load(), "done,", rejected.Load(), "rejected")
	// Output: 60 done, 10 rejected
}
