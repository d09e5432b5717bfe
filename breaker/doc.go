// Package breaker stops calls to a dependency that is down, and finds out by a few probes when it is back.
//
// # When to use it
//
// Around calls to a dependency that can fail for a while: a database, a service, a host. While it is down,
// callers learn so at once instead of each waiting for a timeout, and the dependency is left alone to recover.
//
// # Not for
//
// Failures that concern single calls, such as a row that does not exist: tell Classify. Load that you cause
// yourself: see package bulkhead. A rate that the dependency allows you: see package ratelimit. Many dependencies
// behind one breaker: the healthy would be shut off with the sick. Make one for each; package keyed does so where
// they come and go, such as hosts or tenants, and forgets the ones that are Fresh.
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
// One breaker serves every call to its dependency, whatever the calls return; mettle.Call, Bind and Wrap carry
// the types.
//
// # States
//
// Closed: calls run, and Trip watches how they end. When it trips, the breaker opens.
//
// Open: calls are rejected until the cooldown is over. The first caller after that begins the half-open state; no
// goroutine waits for it.
//
// Half-open: up to Probes calls at a time run as probes, the rest is rejected. The first probe that fails, or is
// slow where Window.Slow is set, opens the breaker again, with the cooldown doubled, give or take a tenth, and
// kept between Cooldown and MaxCooldown. The success numbered Successes closes it, and the cooldown is back at
// its first value. A probe whose verdict is mettle.Ignore gives its place back and decides nothing. Probes that
// have not returned after the cooldown lose their places to others, and what they return later is dropped; after
// each such round the wait doubles, up to MaxCooldown, so that a dependency that is slow but well can still close
// the breaker.
//
// A result counts only in the period in which its call began: a call begun before the breaker opened neither
// closes nor reopens it, however late it ends.
//
// By hand: ForceOpen rejects everybody and Disable admits everybody, until another method turns the breaker.
// ObserveOnly admits everybody, and tells the observer each time the breaker would have opened: the way to try a
// Trip on real traffic. Reset leads back to closed, from any state, as new. Each of these states is a period too.
//
// # When it trips
//
// Shift(tolerated, bad, threshold) is the default, with 0.1, 0.5 and 12. It weighs each result by how much more
// likely it is under a failure rate of bad than of tolerated, and keeps the sum S, which begins at 0 and never
// falls below it:
//
//	S = max(0, S + ln(bad / tolerated))                on a failure
//	S = max(0, S - ln((1 - tolerated) / (1 - bad)))    on a success
//
// It opens when S reaches the threshold. This is the cumulative sum of E. S. Page, "Continuous Inspection
// Schemes", Biometrika 41 (1954), which detects a given shift soonest for a given rate of false alarms. It needs
// no window and no minimum of calls. How many calls it takes on average until it opens, by the share of them that
// fail:
//
//	                       1%       5%       10%      30%   50%   100%
//	Shift(0.1, 0.5, 8)     8.5e9    1.3e6    1.9e4    55    16    5
//	Shift(0.1, 0.5, 12)    8.2e14   7.4e8    1.1e6    100   23    8
//	Shift(0.1, 0.5, 16)    4.9e19   4.1e11   5.7e7    150   31    10
//	Shift(0.05, 0.25, 12)  1.3e13   2.2e6    2.4e3    38    18    8
//	Shift(0.2, 0.6, 12)    9.0e21   8.6e13   1.4e10   3361  54    11
//	Shift(0.01, 0.1, 12)   5.0e6    341      83       20    12    6
//
// Read the left as false alarms, where such a share is to be tolerated, and the right as the delay of detection.
// A higher threshold is slower and errs less: each 4 more cost some 3 calls on a dead dependency and 8 on one of
// which half the calls fail. For comparison, "5 of the last 10" opens after 36 thousand calls of which 5% fail.
// The table is computed from the Markov chain of S; a test also simulates the figures below 30 thousand, with the
// detector itself.
//
// Consecutive(n) opens at the nth failure in a row. It is easy to explain, and blind to a dependency that fails
// most of its calls but never n in a row.
//
// Rate(Window{…}) opens when the share of failed calls among the latest ones, or that of slow calls, reaches a
// limit: "half of the last 100 calls", "a tenth of the calls of the last minute, if there were 50". Take it where
// such a rule is given, or where slow calls have to count: a dependency that answers well, but after ten times
// its usual time, ties up its callers as much as one that fails. The share is compared exactly: 3 of 30 reach
// 0.1, and 49.5% never reach 0.5. It is looked at after each call, also a good one. A window of calls keeps old
// failures for as long as no calls come; a window of time forgets them, and needs traffic to fill Min.
//
// Custom(func() Detector { … }) asks a Detector of your own about every result: for some kinds of errors only, or
// by weight.
//
// # Defaults
//
//	Trip             Shift(0.1, 0.5, 12)
//	Cooldown         5 s
//	MaxCooldown      60 s, or Cooldown if that is longer
//	Probes           1 at a time
//	Successes        3
//	Window.Min       20, or Calls if that is less
//	Window.Failures  0.5
//	Window.Slow      0: slow calls do not trip
//
// # Errors
//
// A rejected call returns a *mettle.RejectedError that unwraps to ErrOpen, also in half-open. All rejections of
// one period share one value. Its RetryAfter says how much of the cooldown is left at the moment of asking; in
// half-open it is unknown, since a probe may return at any time, and in forced-open, since nobody knows when a
// hand turns the breaker again. Any other error is the function's own, as it is.
//
// What an error means is decided by mettle.Judge: a cancellation by the caller and a rejection by an inner policy
// are ignored, an expired deadline is a failure, then Classify is asked.
//
// # Events
//
// mettle.StateChanged, with the time spent in the state that ends, the calls and failures counted in it, and as
// Err the error that tripped it (none where a success did, one that was slow or the last of Window.Min). Where the breaker only observes, From and To are
// both "observe-only". A change by hand has context.Background(). mettle.Rejected for each rejection, with the
// *mettle.RejectedError as Err. Events of different goroutines may arrive in another order than they happened in.
//
// # Concurrency, cancellation, panics
//
// A Breaker is safe for concurrent use. It never makes one call wait for another: most decisions are one atomic
// operation, and the lock of a Rate's window is held for a few additions. The methods that turn it by hand may be
// called at any time, also by an observer; where they meet a change that the breaker makes by itself, one is the
// last, and both are whole.
//
// A function that panics or ends its goroutine by runtime.Goexit has failed, unless its caller had left, and
// Classify is not asked; the panic goes on its way. If Classify or a Detector panics, the result is ignored, and
// if the function that makes Detectors does while a probe is about to close the breaker, that probe is.
//
// The cooldown needs no goroutine. A timer of the runtime tells callers when its end is near: until then
// rejecting them reads no clock.
//
// # Cost
//
// Closed: a few nanoseconds, no allocation, no clock read. Rate adds a lock that is hardly ever contended, and
// one clock read at the call's end if it has Time; SlowAfter and Custom need two clock reads. A window keeps about
// 500 bytes, and one of n calls n/8 more, or n/4 with Slow. A failure that opens the breaker makes the next period.
//
// Open: rejecting costs less than admitting, without a clock read for most of the cooldown if there is no
// Observer. Half-open: one clock read. No allocation in any state.
//
// # Mistakes
//
// Wrong: a breaker built for each call. It never sees a second result. Build it once, next to the client that it
// protects.
//
// Wrong: the breaker outside of the retry. It counts whole calls, each of which has already tried several times,
// and the attempts go on against a dependency that is known to be down.
//
//	mettle.Compose(breaker.New(breaker.Config{}), retry.New(retry.Config{}))
//
// Right: inside. Each attempt counts, and an open breaker ends the retry.
//
//	mettle.Compose(retry.New(retry.Config{}), breaker.New(breaker.Config{}))
//
// Wrong: a window over fewer calls than it takes to tell. Half of the last 4 calls fail by chance about every 160
// calls where 5% do. Keep Min at 20 or more, or use Shift.
//
// Wrong: a breaker that counts answers such as "not found" as failures. The dependency answered; let Classify say
// mettle.Success.
package breaker
