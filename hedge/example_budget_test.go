package hedge_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

// Two operations on one server share what extra load it is to get: a run for fifty calls, and one in ten seconds.
func ExampleNewBudget() {
	extra := hedge.NewBudget(hedge.BudgetConfig{Ratio: 0.02, Floor: 0.1})
	search := hedge.New(hedge.Config{Name: "search", Delay: time.Millisecond, Budget: extra})
	browse := hedge.New(hedge.Config{Name: "browse", Delay: time.Millisecond, Budget: extra})

	answer, err := mettle.Call(context.Background(), search, replicas())
	fmt.Println(answer, err)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = mettle.Call(ctx, browse, replicas()) // the budget is spent: nobody helps the first run
	fmt.Println(err)
	// Output:
	// answer of the second replica <nil>
	// context deadline exceeded
}
