package bulkhead_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/mettle-go/mettle/bulkhead"
)

// A place is a megabyte here, and a call takes as many as its image will need.
func ExampleBulkhead_AcquireN() {
	memory := bulkhead.New(bulkhead.Config{Name: "memory", Limit: 512})
	ctx := context.Background()

	for _, megabytes := range []int{300, 200, 100, 1000} {
		permit, err := memory.AcquireN(ctx, megabytes)
		if errors.Is(err, bulkhead.ErrFull) {
			fmt.Println(megabytes, "do not fit")
			continue
		}
		defer permit.Done(nil) // gives all of them back
		fmt.Println(megabytes, "fit")
	}
	// Output:
	// 300 fit
	// 200 fit
	// 100 do not fit
	// 1000 do not fit
}
