package lock_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle/lock"
)

// One change at a time for each account, and different accounts at the same time. An account that nobody works on takes
// no memory.
func ExampleKeyed() {
	ctx := context.Background()
	var accounts lock.Keyed[string]
	balances := map[string]*int{"ann": new(int), "bob": new(int)}

	var wg sync.WaitGroup
	for name, balance := range balances {
		for range 100 {
			wg.Go(func() {
				err := accounts.With(ctx, name, func() error {
					*balance++
					return nil
				})
				if err != nil {
					fmt.Println(err)
				}
			})
		}
	}
	wg.Wait()
	fmt.Println("ann", *balances["ann"], "bob", *balances["bob"], "locked", accounts.Len())
	// Output: ann 100 bob 100 locked 0
}
