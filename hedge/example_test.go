package hedge_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

// replicas returns a function whose first run hangs until it is canceled, and whose second answers at once.
func replicas() func(context.Context) (string, error) {
	var runs atomic.Int64
	return func(ctx context.Context) (string, error) {
		if runs.Add(1) == 1 {
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "answer of the second replica", nil
	}
}

func ExampleNew() {
	tail := hedge.New(hedge.Config{Name: "search", Delay: time.Millisecond})

	answer, err := mettle.Call(context.Background(), tail, replicas())
	fmt.Println(answer, err)
	// Output: answer of the second replica <nil>
}

func ExampleConfig_Validate() {
	fmt.Println(hedge.Config{}.Validate())
	fmt.Println(hedge.Config{Quantile: 95}.Validate())
	// Output:
	// hedge: Config.Delay and Config.Quantile are 0, want one of them more than 0
	// hedge: Config.Quantile is 95, want between 0 and 1
}

// Without a result there is no race: Do suits calls whose success is all there is to know.
func ExamplePolicy_Do() {
	tail := hedge.New(hedge.Config{Delay: time.Hour})

	err := tail.Do(context.Background(), func(context.Context) error { return errors.New("no such host") })
	fmt.Println(err) // at once: a hedge is no retry
	// Output: no such host
}

func ExamplePolicy_Describe() {
	tail := hedge.New(hedge.Config{Name: "search", Delay: time.Millisecond})
	mettle.Call(context.Background(), tail, replicas())

	d := tail.Describe()
	fmt.Println(d.Kind, d.Name, d.Limit)
	for _, m := range d.Metrics {
		fmt.Println(m.Name, m.Value)
	}
	// Output:
	// hedge search 1
	// delay_seconds 0.001
	// calls 1
	// hedges 1
	// hedges_won 1
	// hedges_refused 0
}

func ExampleError() {
	tail := hedge.New(hedge.Config{Name: "search", Delay: time.Millisecond})
	second := make(chan struct{})
	var runs atomic.Int64

	err := tail.Do(context.Background(), func(context.Context) error {
		if runs.Add(1) == 1 {
			<-second
			return errors.New("first replica is down")
		}
		defer close(second)
		return errors.New("second replica is down")
	})
	fmt.Println(err)
	if all, ok := errors.AsType[*hedge.Error](err); ok {
		fmt.Println(len(all.Runs))
	}
	// Output:
	// hedge: search: all 2 runs failed: first replica is down; second replica is down
	// 2
}
