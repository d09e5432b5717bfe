package bulkhead_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
)

func ExampleNew() {
	reports := bulkhead.New(bulkhead.Config{Name: "reports", Limit: 10})

	pages, err := mettle.Call(context.Background(), reports, func(ctx context.Context) (int, error) {
		return 12, nil // in your program: render a report
	})
	fmt.Println(pages, err)
	// Output: 12 <nil>
}

func ExampleBulkhead_Do() {
	b := bulkhead.New(bulkhead.Config{Name: "reports", Limit: 1})

	err := b.Do(context.Background(), func(ctx context.Context) error {
		// The one place is taken, and nobody waits.
		err := b.Do(ctx, func(context.Context) error { return nil })
		fmt.Println(err, errors.Is(err, bulkhead.ErrFull), errors.Is(err, mettle.ErrRejected))
		return nil
	})
	fmt.Println(err)
	// Output:
	// mettle: rejected by bulkhead reports: bulkhead: full true true
	// <nil>
}

func ExampleBulkhead_Acquire() {
	uploads := bulkhead.New(bulkhead.Config{Limit: 2})
	permit, err := uploads.Acquire(context.Background())
	if err != nil {
		fmt.Println(err) // nothing ran
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { // the permit may come back from another goroutine
		defer permit.Done(nil)
		fmt.Println("uploading")
	})
	wg.Wait()
	// Output: uploading
}

func ExampleBulkhead_Describe() {
	b := bulkhead.New(bulkhead.Config{Name: "reports", Limit: 10})
	b.Do(context.Background(), func(context.Context) error {
		d := b.Describe()
		fmt.Println(d.Kind, d.Name, d.Limit)
		for _, m := range d.Metrics {
			fmt.Println(m.Name, m.Value)
		}
		return nil
	})
	// Output:
	// bulkhead reports 10
	// inside 1
	// waiting 0
	// admitted 1
	// waited 0
	// rejections 0
	// queue 0
	// wait_p50_seconds 0
	// wait_p99_seconds 0
}

func ExampleConfig_Validate() {
	fmt.Println(bulkhead.Config{}.Validate())
	// Output: bulkhead: Config.Limit is 0, want 1 or more
}
