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
//
// # The queue
//
// The queue is first in, first out without exception. While somebody waits, a place that comes free is handed
// to the first in the queue; it is at no moment free for others to take, so that nobody overtakes. A waiter
// whose context ends or whose time is up leaves at once, from the middle of the queue too, and if he was
// handed a place in that very moment, it goes to the next. Nobody waits while a place is free.
//
// A queue turns a burst into a delay. It does not help against lasting overload: then it is always full and
// adds its length to each call. Keep Queue within a few times Limit and MaxWait below what callers will wait.
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
// With a free place, or with none and a full queue: some nanoseconds, no lock, no allocation, no clock read.
// To wait costs a switch of goroutines, and a timer if MaxWait is set, but no allocation once the queue has
// been as long before. An ended context allocates its error.
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
package bulkhead
