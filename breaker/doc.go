// Package breaker stops calls to a dependency that is down, and finds out by a few probes when it is back.
//
// # When to use it
//
// Around calls to a dependency that can fail for a while: a database, a service, a host. While it is down,
// callers learn so at once instead of each waiting for a timeout, and the dependency is left alone to
// recover.
//
// # Not for
//
// Failures that concern single calls, such as a row that does not exist: tell Classify. Load that you cause yourself:
// see package bulkhead. Many dependencies at once: make one breaker for each, or the
// healthy are shut off with the sick.
//
// # Example
//
//	var users = breaker.New(breaker.Config{Name: "users-db"})
//
//	err := users.Do(ctx, func(ctx context.Context) error { return db.PingContext(ctx) })
//	if errors.Is(err, breaker.ErrOpen) {
//		return cached() // nothing ran
//	}
//
// One breaker serves every call to its dependency, whatever the calls return; mettle.Call, Bind and Wrap
// carry the types.
//
// # States
//
// Closed: calls run, and Trip watches how they end. When it trips, the breaker opens.
//
// Open: calls are rejected until the cooldown is over. The first caller after that begins the half-open
// state; no timer and no goroutine waits for it.
//
// Half-open: up to Probes calls at a time run as probes, the rest is rejected. The first probe that fails
// opens the breaker again, with the cooldown doubled, give or take a tenth, and kept between Cooldown and
// MaxCooldown. The success numbered Successes closes it, and the cooldown is back at its first value. A probe
// whose verdict is mettle.Ignore gives its place back and decides nothing. Probes that have not returned
// after the cooldown lose their places to others, and what they return later is dropped; after each such
// round the wait doubles, up to MaxCooldown, so that a dependency that is slow but well can still close the
// breaker.
//
// A result counts only in the period in which its call began: a call begun before the breaker opened neither closes
// nor reopens it, however late it ends.
//
// # When it trips
//
// Shift(tolerated, bad, threshold) is the default, with 0.1, 0.5 and 12. It weighs each result by how much
// more likely it is under a failure rate of bad than of tolerated, and keeps the sum S, which begins at 0 and
// never falls below it:
//
//	S = max(0, S + ln(bad / tolerated))                on a failure
//	S = max(0, S - ln((1 - tolerated) / (1 - bad)))    on a success
//
// It opens when S reaches the threshold. This is the cumulative sum of E. S. Page, "Continuous Inspection
// Schemes", Biometrika 41 (1954), which detects a given shift soonest for a given rate of false alarms. It
// needs no window and no minimum of calls. With the defaults a dependency that always fails is seen in 8
// calls and one that fails half of its calls in about 23 on average, while 5% of failures in the background
// trip it less than once in two million calls; "5 of the last 10" does that every 36 thousand. A higher
// threshold is slower and errs less.
//
// Consecutive(n) opens at the nth failure in a row. It is easy to explain, and blind to a dependency that
// fails most of its calls but never n in a row.
//
// # Defaults
//
//	Trip         Shift(0.1, 0.5, 12)
//	Cooldown     5 s
//	MaxCooldown  60 s, or Cooldown if that is longer
//	Probes       1 at a time
//	Successes    3
//
// # Errors
//
// A rejected call returns a *mettle.RejectedError that unwraps to ErrOpen, also in half-open. All rejections
// of one period share one value. Its RetryAfter says how much of the cooldown is left at the moment of
// asking; in half-open it is unknown, since a probe may return at any time. Any other error is the function's
// own, as it is.
//
// What an error means is decided by mettle.Judge: a cancellation by the caller and a rejection by an inner policy are
// ignored, an expired deadline is a failure, then Classify is asked.
//
// # Events
//
// mettle.StateChanged, with the time spent in the state that ends, the calls and failures counted in it, and
// as Err the error that tripped it. mettle.Rejected for each rejection, with the *mettle.RejectedError as
// Err. Events of different goroutines may arrive in another order than they happened in.
//
// # Concurrency, cancellation, panics
//
// A Breaker is safe for concurrent use and has no lock. It never waits. A function that panics or ends its
// goroutine by runtime.Goexit has failed, unless its caller had left, and Classify is not asked; the panic
// goes on its way. If Classify itself panics, the result is ignored.
//
// # Cost
//
// Closed: a few nanoseconds, no allocation, no clock read; a failure that opens the breaker makes the next
// period. Open and half-open: one clock read, no allocation. Rejecting costs no more than that.
//
// # Mistakes
//
// Wrong: a breaker built for each call. It never sees a second result. Build it once, next to the client that
// it protects.
//
// Wrong: the breaker outside of the retry. It counts whole calls, each of which has already tried several
// times, and the attempts go on against a dependency that is known to be down.
//
//	mettle.Compose(breaker.New(breaker.Config{}), retry.New(retry.Config{}))
//
// Right: inside. Each attempt counts, and an open breaker ends the retry.
//
//	mettle.Compose(retry.New(retry.Config{}), breaker.New(breaker.Config{}))
//
// Wrong: a breaker that counts answers such as "not found" as failures. The dependency answered; let Classify say
// mettle.Success.
package breaker
