package queue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle/queue"
)

func Example() {
	ctx := context.Background()
	q := queue.New[string](2)

	go func() {
		defer q.Close()
		for _, word := range []string{"first", "second", "third"} {
			if err := q.Put(ctx, word); err != nil {
				return
			}
		}
	}()
	for word := range q.All(ctx) {
		fmt.Println(word)
	}
	// Output:
	// first
	// second
	// third
}

func ExampleNew() {
	q := queue.New[int](100)
	fmt.Println(q.Len(), "of", q.Cap())
	// Output: 0 of 100
}

// A Put to a full queue waits, but not longer than its context.
func ExampleQueue_Put() {
	q := queue.New[int](1)
	ctx, cancel := context.WithCancelCause(context.Background())
	fmt.Println(q.Put(ctx, 1))
	go cancel(errors.New("nobody takes it"))
	fmt.Println(q.Put(ctx, 2))
	fmt.Println(q.Len())
	// Output:
	// <nil>
	// context canceled: nobody takes it
	// 1
}

func ExampleQueue_Get() {
	ctx := context.Background()
	q := queue.New[string](1)
	go q.Put(ctx, "hello")

	greeting, err := q.Get(ctx) // waits for it
	fmt.Println(greeting, err)

	q.Close()
	_, err = q.Get(ctx)
	fmt.Println(err)
	// Output:
	// hello <nil>
	// queue: closed
}

// Work that there is no room for is refused, not queued.
func ExampleQueue_TryPut() {
	q := queue.New[int](2)
	for request := range 3 {
		if err := q.TryPut(request); errors.Is(err, queue.ErrFull) {
			fmt.Println("request", request, "is refused")
		}
	}
	// Output: request 2 is refused
}

// One write for all that is there by now.
func ExampleQueue_TryGet() {
	ctx := context.Background()
	q := queue.New[string](10)
	for _, record := range []string{"a", "b", "c"} {
		q.Put(ctx, record)
	}

	first, err := q.Get(ctx) // waits
	if err != nil {
		return
	}
	batch := []string{first}
	for {
		next, err := q.TryGet() // does not
		if err != nil {
			break
		}
		batch = append(batch, next)
	}
	fmt.Println(batch)
	// Output: [a b c]
}

// The consumers process what is left, and then their loops end.
func ExampleQueue_Close() {
	ctx := context.Background()
	q := queue.New[int](10)
	var sum int
	var consumer sync.WaitGroup
	consumer.Go(func() {
		for v := range q.All(ctx) {
			sum += v
		}
	})
	for v := range 10 {
		q.Put(ctx, v)
	}
	q.Close()
	consumer.Wait()
	fmt.Println(sum, q.Put(ctx, 10))
	// Output: 45 queue: closed
}

// What there is no time for is handed back, here to be written down.
func ExampleQueue_CloseNow() {
	ctx := context.Background()
	q := queue.New[string](10)
	for _, job := range []string{"a", "b", "c"} {
		q.Put(ctx, job)
	}
	job, _ := q.Get(ctx)
	fmt.Println("did", job)
	fmt.Println("still to do:", q.CloseNow())
	// Output:
	// did a
	// still to do: [b c]
}

// An item that was taken is not yet processed; Wait waits for that.
func ExampleQueue_Wait() {
	ctx := context.Background()
	q := queue.New[int](10)
	var mu sync.Mutex
	var squares int
	for range 3 {
		go func() {
			for {
				v, err := q.Get(ctx)
				if err != nil {
					return
				}
				mu.Lock()
				squares += v * v
				mu.Unlock()
				q.Done()
			}
		}()
	}
	for v := range 5 {
		q.Put(ctx, v)
	}
	if err := q.Wait(ctx); err != nil {
		return
	}
	fmt.Println(squares)
	q.Close() // the consumers end
	// Output: 30
}

func ExampleQueue_Done() {
	ctx := context.Background()
	q := queue.New[string](1)
	q.Put(ctx, "job")

	job, _ := q.Get(ctx)
	func() {
		defer q.Done() // also if it panics
		fmt.Println("processing", job)
	}()
	fmt.Println(q.Wait(ctx))
	// Output:
	// processing job
	// <nil>
}

// The loop's body need not call Done.
func ExampleQueue_All() {
	ctx := context.Background()
	q := queue.New[int](3)
	for v := range 3 {
		q.Put(ctx, v)
	}
	q.Close()
	for v := range q.All(ctx) {
		fmt.Println(v)
	}
	fmt.Println(q.Wait(ctx))
	// Output:
	// 0
	// 1
	// 2
	// <nil>
}
