package bulkhead_test

import (
	"context"
	"fmt"
	"runtime"

	"github.com/mettle-go/mettle/bulkhead"
)

// While more comes than can be served, a queue is always full. First in, first out then serves everybody when they have almost given
// up; last in, first out serves the latest at once, and turns away those who have waited longest.
func Example_overload() {
	b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 2, Order: bulkhead.LIFO})
	busy, _ := b.Acquire(context.Background())

	told := make(chan string)
	for i, name := range []string{"first", "second", "third"} {
		go func() {
			err := b.Do(context.Background(), func(context.Context) error {
				told <- name + " runs"
				return nil
			})
			if err != nil {
				told <- name + ": " + err.Error()
			}
		}()
		for waiting(b) < min(i+1, 2) { // only for the example: they come in this order
			runtime.Gosched()
		}
	}
	fmt.Println(<-told) // the third has come and found the queue full
	busy.Done(nil)
	fmt.Println(<-told)
	fmt.Println(<-told)
	// Output:
	// first: mettle: rejected by bulkhead: bulkhead: full
	// third runs
	// second runs
}

func waiting(b *bulkhead.Bulkhead) int {
	for _, m := range b.Describe().Metrics {
		if m.Name == "waiting" {
			return int(m.Value)
		}
	}
	return 0
}

func ExampleOrder_String() {
	fmt.Println(bulkhead.Config{}.Order, bulkhead.LIFO)
	// Output: FIFO LIFO
}
