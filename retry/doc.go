// Package retry calls again what failed, after a wait.
//
// # When to use it
//
// For failures that pass by themselves: a reset connection, an overloaded server, a leader election. The call must
// be safe to repeat.
//
// # Not for
//
// Calls that must happen at most once, unless the server recognizes repeats. Errors that another
// attempt cannot mend: return mettle.Permanent(err), or tell Classify. Dependencies that are down for long: put
// a breaker inside, whose rejection stops the retry.
//
// # Example
//
//	var again = retry.New(retry.Config{Attempts: 4})
//
//	err := again.Do(ctx, func(ctx context.Context) error { return send(ctx, msg) })
//
// # Defaults
//
//	Attempts    3 calls in all
//	Backoff     100 ms, doubling, at most 30 s, full jitter
//	Budget      one of the policy's own: 0.2 tokens a call, 10 a second, for 10 s
//	MaxElapsed  no limit
//	MaxHint     5 min
//
// # Errors
//
// A call that failed for good returns *ExhaustedError: why there was no further attempt (ErrAttempts, ErrBudget, ErrPermanent,
// ErrStop, ErrHint, ErrElapsed, ErrDeadline, ErrTurnedAway, or the caller's cancellation), and for each attempt its error, its duration and the wait
// before it. It unwraps to all of them, the last attempt first. An error that the retry has no say in
// passes as it is: a first attempt that was rejected by an inner policy or ended by the caller's cancellation, and
// any error that Classify calls Success or Ignore.
//
// A wait that would pass the context's deadline is not begun: the call returns at once with the real error, which is
// then not context.DeadlineExceeded.
//
// # Rules
//
// Errors of different kinds may want different patience. The first rule that matches an error decides:
//
//	retry.New(retry.Config{Rules: []retry.Rule{
//		{If: retry.Is(syscall.ECONNRESET), Attempts: 10, Backoff: retry.Constant(10 * time.Millisecond)},
//		{If: isStatus(500), Attempts: 2, Backoff: retry.Constant(time.Second)},
//		{If: isStatus(400), Stop: true},
//	}})
//
// A rejection by an inner policy is retried only if a rule matches it, and then not before the rejection's RetryAfter.
//
// # Budget
//
// Retries help when few calls fail, and make it worse when all do. A budget tells the two apart: calls earn a share of a token each, time brings a
// few more, a retry takes one. So in a total outage the dependency sees at most (1 + ratio) times the calls, plus the floor, instead of
// three times as many. A call whose retry is refused returns its error at once, with ErrBudget.
//
// # Hints
//
// An error in the chain with a method RetryAfter() (time.Duration, bool) asks for a wait. The wait is then the larger of
// hint and backoff, plus up to a tenth so that not all come back at once. A hint above MaxHint ends the call.
//
// # Events
//
// mettle.Retried, before each wait.
//
// # Concurrency, cancellation, panics
//
// A Policy is safe for concurrent use. Attempts run in the caller's goroutine, one after the other. The end of the
// caller's context ends a wait at once. A panic in the function passes through.
//
// # Cost
//
// A call whose first attempt succeeds costs some nanoseconds: no allocation, and no clock read but for the budget, which reads it in one of 64
// calls when there are many. A failed attempt costs one clock
// read, a wait that is not zero a timer.
//
// # Herds
//
// Clients that failed together retry together, unless jitter spreads them. FullJitter spreads most and is the default. EqualJitter
// keeps at least half of each wait. Spread(0.25) varies each wait by a quarter either way, which hardly spreads the first
// ones. Decorrelated draws from [Base, 3·previous wait]: the mean of the waits grows by half each step but their median
// only by about a tenth, so most clients come back sooner than the factor suggests. The first three
// are described by Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
//
// # Mistakes
//
// Wrong: retries at every layer. Three layers of 3 attempts make 27 calls of one. Retry where the knowledge
// is, mostly next to the call, and nowhere else.
//
// Wrong: one timeout around the retry and none inside; see package timeout.
package retry
