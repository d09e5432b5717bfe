// Package mettletest tests policies, and code that uses them: a suite that every policy of mettle passes, a dependency that fails as it is
// told, and a recorder of events.
//
// # When to use it
//
// TestPolicy and TestGate, for whoever writes a mettle.Policy: they look for what makes policies fail in production and is seldom
// tested, such as places that a panic loses, goroutines left behind and deadlocks in observers. Script and Recorder, in the tests
// of a program that calls through policies.
//
// # Not for
//
// What is particular to one policy, such as when a breaker opens. Load tests. Faults of HTTP: see package chaos.
//
// # Example
//
//	func TestBulkheadKeepsTheContract(t *testing.T) {
//		mettletest.TestGate(t, mettletest.Config{
//			New: func(o mettle.Observer) mettle.Policy {
//				return bulkhead.New(bulkhead.Config{Limit: 3, Observer: o})
//			},
//			Rejecting: func(o mettle.Observer) mettle.Policy {
//				b := bulkhead.New(bulkhead.Config{Limit: 1, Observer: o})
//				b.Acquire(context.Background()) // for good
//				return b
//			},
//		})
//	}
//
//	func TestReportsAreTriedThreeTimes(t *testing.T) {
//		dep := mettletest.NewScript(mettletest.Fail(errDown), mettletest.Fail(errDown)).Then(mettletest.Succeed())
//		err := reports.Do(ctx, dep.Run)
//		if err != nil || dep.Calls() != 3 { … }
//	}
//
// # The checks
//
// Each is a subtest, which go test -run finds by its name. Its failure says which promise is broken and what was seen. TestPolicy and TestGate:
//
//	success      Do runs the function and returns nil when the function did
//	value        Call returns the value of a run that succeeded
//	error        the function's error is reached by errors.Is and errors.As, and is no rejection
//	rejection    an error is mettle.ErrRejected exactly when the function did not run
//	context      the function's context has the caller's values, deadline, cancellation and cause
//	waiting      the end of the caller's context ends every wait, and nothing runs after it
//	ended        Do returns when every run has ended, and not before
//	goroutines   no goroutine outlives the call that started it
//	places       a place comes back on success, error, panic and runtime.Goexit
//	panic        a panic of the function passes through Do, not recovered, with its value
//	goexit       a runtime.Goexit of the function passes through Do
//	observer     an observer may call back into the policy, and gets whole events
//	describe     Describe tells a kind and sound metrics, at any moment
//	concurrent   many goroutines share the policy, and each gets its own result
//	overlap      runs that overlap have branches of their own, and the kept one's value is the call's
//
// TestGate only:
//
//	gate         Do runs the function once, under the caller's context, and returns its error as it is
//	acquire      Acquire admits as many as Do, and Done gives the place back, from any goroutine
//	turned-away  a rejected Acquire returns the zero Permit and a *mettle.RejectedError
//	waiter       who leaves the queue leaves nothing behind
//
// A check that finds nothing to look at, such as overlap where no two runs overlap, is skipped and says so. Some faults are data
// races: run the suite with -race too.
//
// Every check runs in a bubble of testing/synctest, with policies made in it, so that an hour's wait takes no time. What the policy has
// started when it was made may outlive calls: a policy with a method Close, with or without an error, is closed when its check is
// over.
//
// # Defaults
//
// None of Config; a Script without Then returns ErrScriptEnded when it has ended.
//
// # Errors
//
// A misconfigured suite fails its test at once. ErrScriptEnded is marked by mettle.Permanent.
//
// # Concurrency, cancellation, panics
//
// Script and Recorder are safe for concurrent use. A policy that runs the function in another goroutine cannot pass a panic on: there the
// panic ends the test binary, as it would end the program. So it is with a panic of the policy's own in such a goroutine.
//
// A check whose goroutines wait for each other fails; so does one in which somebody waits for a mutex while its owner sleeps, since
// time stands still in such a bubble. A policy that runs the function for ever, without any wait, ends with the timeout of go test.
//
// # Cost
//
// A suite takes some ten milliseconds. A Script and a Recorder take no lock; each recorded event is an allocation.
//
// # Mistakes
//
// Wrong: one policy for all checks. It was made outside of their bubbles, and each check meets what the last one left.
//
//	p := retry.New(retry.Config{})
//	mettletest.TestPolicy(t, mettletest.Config{New: func(mettle.Observer) mettle.Policy { return p }})
//
// Right: make it in New, with the observer, or the check observer has nothing to see.
//
// Wrong: a bulkhead with more places than the suite makes calls, 64. It would not notice lost ones. Right: a few.
//
// Wrong: Slow, Deaf and Hang outside of a bubble. They take real time there, or never end.
package mettletest
