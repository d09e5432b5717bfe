// Package bulkhead limits how many calls run at a time, so that one slow dependency cannot take all
// goroutines, connections or memory with it.
//
// # When to use it
//
// Around calls that hold something scarce while they run: connections, memory, the capacity of a small
// server. In front of a handler, to shed what cannot be served in time.
//
// # Not for
//
// Calls per second. A fixed pool of workers that consume a queue.
//
// # Example
//
//	var reports = bulkhead.New(bulkhead.Config{Name: "reports", Limit: 10, Queue: 50, MaxWait: 30 * time.Second})
//
//	err := reports.Do(ctx, func(ctx context.Context) error { return render(ctx, w) })
//	if errors.Is(err, mettle.ErrRejected) {
//		w.WriteHeader(http.StatusServiceUnavailable) // nothing ran
//	}
//
// # Defaults
//
//	Limit    none: only the author knows what is scarce
//	Queue    0, nobody waits
//	MaxWait  as long as the caller's context allows
//	Order    FIFO
//
// # The queue
//
// A queue turns a burst into a delay. Keep Queue within a few times Limit, and MaxWait below what callers will wait.
// A waiter whose context ends or whose time is up leaves at once, from the middle of the queue too, and if he was
// handed a place in that very moment, it goes to the next.
//
// With FIFO the queue is first in, first out without exception. While somebody waits, a place that comes free is kept for
// the first in the queue; it is at no moment there for others to take, so that nobody overtakes.
//
// LIFO is for overload that lasts. A queue is always full then, and first in, first out lets everybody in as late as possible, many of
// them after their callers have given up: all work is done for nobody. With LIFO the newest waiter is first, and
// a newcomer for whom there is room does not wait at all. Most calls are as fast as ever; some are starved. When the
// queue is full, the newcomer takes the place of the one who has waited longest, who is rejected with ErrFull: that is the one whose
// caller has most likely given up already, and he would be the last to be let in.
//
// # Weights
//
// A call may take several places by AcquireN, such as a megabyte each. It waits until all of them are free. With FIFO everybody
// behind a heavy call waits for it, also a light one that would fit, or else the heavy one might wait for ever; with LIFO those who
// came before do, while newcomers that fit go in. A call heavier than the limit could never run and is rejected at once.
//
// # Changing the limit
//
// SetLimit works on what is there: a higher limit lets in as many of those who wait as now fit, in their order; with a lower one
// those inside stay to their end and nobody is let in until there is room.
//
// # Errors
//
// A rejected call returns a *mettle.RejectedError that unwraps to ErrFull, to ErrWait, or, if the context
// ended first, to both what ctx.Err and what context.Cause say. Its RetryAfter is unknown. With a free place
// the context is not looked at: fn runs, and sees it. Any other error is the function's own, as it is.
//
// # Events
//
// mettle.Rejected, with the *mettle.RejectedError as Err.
//
// # Concurrency, cancellation, panics
//
// A Bulkhead is safe for concurrent use. A place comes back when fn returns, panics, or ends its goroutine by
// runtime.Goexit; the panic goes on its way. A call that enters the same Bulkhead from within another may
// wait for itself for ever: nest only different ones, in the same order everywhere.
//
// Bulkheads keep the channels and timers of past waiters for the next. In tests with testing/synctest, make
// the Bulkhead inside of the bubble.
//
// # Cost
//
// With a free place, or with none and a full FIFO queue: some nanoseconds, no lock, no allocation, no clock read; to be rejected costs
// less than to be admitted. To wait costs a switch of goroutines, two clock reads, and a timer if MaxWait is set, but no
// allocation once the queue has been as long before. An ended context allocates its error.
//
// A Bulkhead takes about 300 bytes until first somebody waits, and then some kilobytes to remember how long.
//
// # Mistakes
//
// Wrong: a bulkhead built for each call. It limits nothing. Build it once, next to what it protects.
//
// Wrong: the bulkhead outside of the retry. Its place stays taken during the waits between attempts.
//
//	mettle.Compose(bulkhead.New(bulkhead.Config{Limit: 10}), retry.New(retry.Config{}))
//
// Right: inside, where a place is taken only while an attempt runs.
//
//	mettle.Compose(retry.New(retry.Config{}), bulkhead.New(bulkhead.Config{Limit: 10}))
//
// Wrong: the timeout outside of a queue that may take longer than it. Waiting uses up the call's time; give
// MaxWait less.
//
// Wrong: one call that takes its weight piece by piece. Two such calls may each hold half and wait for the other's half. Take all of it by one
// AcquireN.
package bulkhead
