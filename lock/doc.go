// Package lock has mutexes that can be waited for no longer than a context lasts: one lock, or one for each key.
//
// # When to use it
//
// When a lock is held during something slow, a call, a file, a whole request, so that those who wait must be able to
// give up, and should be served in order. Keyed, when that is for each user, file or host of many.
//
// # Not for
//
// Some instructions on shared memory: sync.Mutex is the better choice there. It lets who runs overtake who sleeps,
// which under contention is many times as fast as order, and nobody waits long enough to give up. More than one holder
// at a time, a bound on those who wait, or a limit to the wait without a context: that is package bulkhead. Several
// readers: sync.RWMutex. To wait until something has happened: close a channel.
//
// # Example
//
//	var refresh lock.Mutex
//
//	if err := refresh.Lock(ctx); err != nil {
//		return err // gave up
//	}
//	defer refresh.Unlock()
//
//	var accounts lock.Keyed[AccountID]
//
//	err := accounts.With(ctx, from.ID, func() error { return withdraw(ctx, from, amount) })
//
// # Order
//
// First come, first served, without exception. An Unlock hands the lock to the first who waits; it is at no moment
// free for others to take, so that nobody overtakes. One who gives up leaves the line at once, from its middle too.
//
// # Errors
//
// The error of a Lock whose context ended first is both what ctx.Err and what context.Cause say, to errors.Is. The
// lock is not held then. A free lock is given without a look at ctx. The error of With is that, or the function's as
// it is.
//
// # Concurrency, cancellation, panics
//
// All methods are safe for concurrent use. A lock does not belong to a goroutine: another one may unlock it, and who
// holds it and locks it again waits for himself, until his context ends. What happened before an Unlock is seen by
// those who lock after it.
//
// With unlocks when its function panics or ends its goroutine by runtime.Goexit; the panic goes on its way. An Unlock
// of what is not locked panics, and so does a key that a map cannot hold.
//
// Locks keep the channels of past waiters for the next. In tests with testing/synctest, have them inside of the
// bubble, not in variables of the package.
//
// # Cost
//
// Mutex: about that of sync.Mutex while it is free, one atomic instruction to lock and one to unlock. Keyed: a lock that
// is held for a map access, each way. To wait costs a switch of goroutines. Nothing is allocated once as many have
// waited before; an ended context may allocate its error. A Keyed takes memory for the keys that are locked, and not
// for those that have been.
//
// # Mistakes
//
// Wrong: two locks, or two keys, one within the other, in different orders. Each waits for the other until a context
// ends. Right: the same order everywhere; for keys, sort them.
//
// Wrong: to check the error of Lock after the defer. What was not locked is unlocked.
//
//	err := m.Lock(ctx)
//	defer m.Unlock()
//
// Right: With, or first the check.
//
// Wrong: a Mutex for each key in a map that only grows. Right: Keyed.
package lock
