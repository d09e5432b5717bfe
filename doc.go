// Package mettle makes calls that may fail cope: the contract that policies keep, and the stack that composes
// them.
//
// # When to use it
//
// A program calls things that fail: APIs, databases, hosts. Pick a policy for each symptom, build each once, compose
// them, and call through the stack:
//
//	var users = mettle.Compose( // outermost first
//		retry.New(retry.Config{Attempts: 4}),
//		breaker.New(breaker.Config{Name: "users-db"}),
//		bulkhead.New(bulkhead.Config{Limit: 32, Queue: 64}),
//		timeout.After(200*time.Millisecond), // each attempt
//	)
//
//	u, err := mettle.Call(ctx, users, func(ctx context.Context) (User, error) { return db.User(ctx, 7) })
//
// The policies live in packages of their own: retry, timeout, hedge, breaker, bulkhead, ratelimit. Package keyed keeps one
// policy for each host or tenant, package stale the last good values. Package group runs many calls at once; queue, lock and ctxvar
// are what they need of each other. Package mettlehttp puts all of it into an http.Client, or in front of a handler.
//
// # Not for
//
// Errors that another attempt cannot mend: mark them with Permanent, or fix them. And no policy makes
// a function stop that does not look at its context.
//
// # Order
//
// The first policy of a Stack is the outermost: it sees the call first and its result last.
//
//	call ─▶ retry ─▶ breaker ─▶ bulkhead ─▶ timeout ─▶ fn
//	        │        │          │           └ bounds each attempt, not its time in the queue
//	        │        │          └ a place is held for one attempt, not through the backoff
//	        │        └ counts each attempt; its rejection stops the retry
//	        └ makes the attempts
//
// # Errors
//
// A policy that did not run the function returns a *RejectedError, which is ErrRejected to errors.Is.
// Any other error comes from the function, perhaps wrapped by a policy that adds what it knows
// (*timeout.Error, *retry.ExhaustedError); errors.Is and errors.As reach through.
//
// # Concurrency, cancellation, panics
//
// Policies are safe for concurrent use and meant to be shared. Cancellation is cooperative: the function
// gets a context and is waited for. No goroutine outlives the call that started it. A panic or a
// runtime.Goexit in the function passes through every policy, is never recovered, and gives back every permit.
//
// # Cost
//
// Call through a Stack of timeout, retry, breaker and bulkhead allocates twice: the timeout's context and the
// caller's own closure. Nothing is allocated for a policy that has nothing to do.
package mettle
