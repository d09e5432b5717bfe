package lock_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle/lock"
)

// A counter that ends exact, however many want it at a time.
func ExampleMutex() {
	ctx := context.Background()
	var mu lock.Mutex
	var counter int

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if err := mu.Lock(ctx); err != nil {
					return
				}
				counter++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fmt.Println(counter)
	// Output: 8000
}

func ExampleMutex_Lock() {
	ctx, cancel := context.WithCancel(context.Background())
	var mu lock.Mutex
	fmt.Println(mu.Lock(ctx))

	cancel()
	fmt.Println(mu.Lock(ctx)) // would have to wait
	// Output:
	// <nil>
	// context canceled
}

func ExampleMutex_TryLock() {
	var mu lock.Mutex
	fmt.Println(mu.TryLock(), mu.TryLock())
	mu.Unlock()
	fmt.Println(mu.TryLock())
	// Output:
	// true false
	// true
}

func ExampleMutex_Unlock() {
	ctx := context.Background()
	var mu lock.Mutex
	mu.Lock(ctx)

	second := make(chan struct{})
	go func() {
		defer close(second)
		if err := mu.Lock(ctx); err != nil {
			return
		}
		defer mu.Unlock()
		fmt.Println("second")
	}()
	fmt.Println("first")
	mu.Unlock() // hands it over, if the other waits by now
	<-second
	// Output:
	// first
	// second
}

// The lock is free again, also after a panic.
func ExampleMutex_With() {
	ctx := context.Background()
	var mu lock.Mutex

	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		mu.With(ctx, func() error { panic("boom") })
	}()
	err := mu.With(ctx, func() error { return errors.New("disk full") })
	fmt.Println(err)
	// Output:
	// recovered: boom
	// disk full
}

func ExampleKeyed_Lock() {
	ctx := context.Background()
	var files lock.Keyed[string]

	if err := files.Lock(ctx, "a.txt"); err != nil {
		return
	}
	defer files.Unlock("a.txt")
	fmt.Println(files.Lock(ctx, "b.txt")) // another key, no wait
	fmt.Println(files.Len())
	files.Unlock("b.txt")
	fmt.Println(files.Len())
	// Output:
	// <nil>
	// 2
	// 1
}

// Work on a user that is under way already need not be done twice.
func ExampleKeyed_TryLock() {
	var syncing lock.Keyed[int]
	start := func(user int) {
		if !syncing.TryLock(user) {
			fmt.Println("user", user, "is being synced")
			return
		}
		fmt.Println("syncing user", user)
	}
	start(7)
	start(8)
	start(7)
	// Output:
	// syncing user 7
	// syncing user 8
	// user 7 is being synced
}

func ExampleKeyed_Unlock() {
	var keys lock.Keyed[string]
	keys.TryLock("k")
	keys.Unlock("k")
	fmt.Println(keys.TryLock("k"))
	// Output: true
}

func ExampleKeyed_Len() {
	var keys lock.Keyed[string]
	keys.TryLock("a")
	keys.TryLock("b")
	keys.Unlock("a")
	fmt.Println(keys.Len())
	// Output: 1
}

func ExampleKeyed_With() {
	var hosts lock.Keyed[string]
	err := hosts.With(context.Background(), "example.com", func() error {
		fmt.Println("nobody else talks to example.com")
		return nil
	})
	fmt.Println(err, hosts.Len())
	// Output:
	// nobody else talks to example.com
	// <nil> 0
}
