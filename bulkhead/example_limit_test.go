package bulkhead_test

import (
	"context"
	"fmt"

	"github.com/mettle-go/mettle/bulkhead"
)

// The database has been told to serve less: from now on one at a time.
func ExampleBulkhead_SetLimit() {
	db := bulkhead.New(bulkhead.Config{Name: "db", Limit: 2})
	ctx := context.Background()
	first, _ := db.Acquire(ctx)
	second, _ := db.Acquire(ctx)

	db.SetLimit(1) // both stay to their end
	first.Done(nil)
	_, err := db.Acquire(ctx)
	fmt.Println(err)

	second.Done(nil)
	third, err := db.Acquire(ctx)
	fmt.Println(err)
	third.Done(nil)
	// Output:
	// mettle: rejected by bulkhead db: bulkhead: full
	// <nil>
}

// A cache of bulkheads, one a customer, drops those that nobody uses.
func ExampleBulkhead_Fresh() {
	customer := bulkhead.New(bulkhead.Config{Limit: 4})

	permit, _ := customer.Acquire(context.Background())
	fmt.Println(customer.Fresh())
	permit.Done(nil)
	fmt.Println(customer.Fresh())
	// Output:
	// false
	// true
}
