// Package queue hands items from goroutines that produce them to goroutines that consume them, through a bounded
// buffer, and knows when all of them have been processed.
//
// # When to use it
//
// Producers and consumers of their own pace, with a bound between them so that the slower one sets it. Work that is
// to be drained at a shutdown, or handed back; work whose end somebody has to wait for.
//
// # Not for
//
// One call for each item of a slice: group.Map does that. A signal, or one value from one goroutine to one other: that
// is a channel. Selecting among several sources: only channels can. Items that must survive the process. A hand-over
// without a buffer.
//
// # Example
//
//	q := queue.New[Job](100)
//	err := group.Run(ctx, func(g *group.Group) error {
//		for range 4 {
//			g.Go(func(ctx context.Context) error {
//				for job := range q.All(ctx) {
//					process(ctx, job)
//				}
//				return ctx.Err()
//			})
//		}
//		defer q.Close() // the consumers end when they have got the rest
//		for job := range jobs {
//			if err := q.Put(g.Context(), job); err != nil {
//				return err
//			}
//		}
//		return nil
//	})
//
// # Order
//
// Items leave in the order in which they got in, and those who wait are served in the order in which they came. A Get
// that waits is handed the item, and a Put that waits has its item let in, by the one who makes it possible: nobody who
// comes later gets in between. No item is lost and none is given out twice.
//
// # Closing
//
// Close is the orderly end: no more Puts, Gets until the queue is empty, then ErrClosed for them too. A Put that waits
// when Close comes returns ErrClosed and keeps its item. CloseNow is the quick end: it returns what nobody has got.
//
// Unlike with a channel, any goroutine may close, more than once, and a Put to a closed queue is an error and no
// panic.
//
// # Processed, not only taken
//
// An empty queue says that all items were taken, not that they were processed. Consumers tell that by Done, once for
// each item, and Wait returns when all that was put is done. All calls Done by itself.
//
// # Errors
//
// ErrClosed from all; ErrFull and ErrEmpty from TryPut and TryGet; and from Put, Get and Wait, when their context ends,
// an error that is both what ctx.Err and what context.Cause say. Compare by errors.Is. None of them is a rejection by
// a policy.
//
// # Concurrency, cancellation, panics
//
// All methods are safe for concurrent use. A Put or Get whose context has ended does nothing, even if it need not wait,
// so that a loop over a queue that is never empty ends too; Wait returns nil if there is nothing to wait for. A Put or
// Get that returns an error has put or got nothing; one that is served in the very moment in which its context ends
// returns nil. Only New and Done panic.
//
// Queues keep the channels of past waiters for the next. In tests with testing/synctest, make the Queue inside of the
// bubble.
//
// # Cost
//
// The memory of all places at once, by New. To pass an item costs two uncontended locks and no allocation; Puts and
// Gets do not contend for the same one. A channel with a select on ctx.Done takes several times as long with a
// buffer of 100 or more; with a buffer of one or two, where each item is a switch of goroutines, there is little
// between them. Waiting allocates nothing once as many have waited before.
//
// # Mistakes
//
// Wrong: a consumer that returns while producers wait; they do so until their context ends. In a group a consumer's
// error cancels that. Elsewhere close the queue:
//
//	defer q.Close()
//
// Wrong: to ask Len and then Get. Others take the item in between, and Get waits. Right: TryGet.
//
// Wrong: a huge capacity, so that Put never waits. It hides that consumers are too slow until memory is gone.
package queue
