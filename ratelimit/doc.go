// Package ratelimit limits how many calls begin in a time, such as 100 a second.
//
// # When to use it
//
// Towards a dependency that allows so many calls in a time, so that it need not turn calls away. In front of one's own handler, to hold
// each client to its share: one Limiter a client, see package keyed.
//
// # Not for
//
// How many calls run at a time: a dependency that gets slow is overrun at any rate; see package bulkhead. A limit over several processes:
// each has its own. Smoothing out an overload that lasts: a line gets as long as MaxWait and stays so.
//
// # Example
//
//	var search = ratelimit.New(ratelimit.Config{Name: "search", Rate: 100, Burst: 20})
//
//	if !search.Allow() {
//		w.WriteHeader(http.StatusTooManyRequests)
//		return
//	}
//
// With MaxWait, calls wait for their turn, first come, first served:
//
//	var api = ratelimit.New(ratelimit.Config{Name: "api", Rate: 10, Burst: 1, MaxWait: 5 * time.Second})
//
//	err := api.Do(ctx, func(ctx context.Context) error { return fetch(ctx) })
//
// # Defaults
//
//	Rate     none: only the author knows
//	Per      1 s
//	Burst    none: 1 spaces calls evenly, Rate lets a second's worth through at once
//	MaxWait  0, nobody waits
//
// # What is admitted
//
// The limiter is the generic cell rate algorithm of ITU-T I.371, exact in whole nanoseconds: a bucket of Burst tokens, of which each call takes
// one, and to which one comes back in every interval of Per/Rate. In any window of a length w, its ends included, it admits never more
// than
//
//	Burst + w/interval
//
// calls, rounded down. The interval is rounded up to a whole nanosecond, so that the rate is never exceeded. What that costs is
// only felt at rates far beyond those of calls over a network:
//
//	Rate a second    interval         rate in fact
//	          10     100 ms                   10
//	       3,000     333,334 ns            2,999.994
//	     300,000       3,334 ns          299,940
//	   7,000,000         143 ns        6,993,006
//	 700,000,000           2 ns      500,000,000
//
// # Strict
//
// Calls that a bucket lets through in one second may be Burst more than Rate. Where the other side counts exactly, set Strict: it keeps the instants of
// the last Rate calls, and in any window of length Per, of whose ends one is included, there are never more than Rate. A crowd of Rate calls may
// come at once, and nobody then until Per has passed.
//
// # The line
//
// A call that may wait takes the next place in the line when it comes, and knows then how long it will wait. If that is longer than MaxWait, or not
// less than the time its context has left, it is rejected at once and takes nothing. So does a Reservation, which leaves the waiting to its owner, and which
// neither MaxWait nor a context bounds.
//
// Who gives a place back, by Reservation.Cancel or because his context ends, changes nothing for those behind him: they keep the
// instants that they know. If he was the last, it is as if he had never come. Otherwise his place goes to the next newcomer who can use it, and so
// before those who came earlier. In a bucket a place serves from the instant at which its owner was to begin until Burst-1 intervals later,
// and with Strict until its owner was to begin; if nobody has come by then, it lapses. AcquireN, AllowN and ReserveN need a freed place of
// their size, or of more that adjoin; with Strict they take none.
//
// SetRate moves the whole line: what was to come so many intervals later still does. Through any number of changes the calls in a window are never more
// than Burst and what the rates of the time within the window add up to. With Strict, those in the line are placed anew, and the new bound holds for each
// window that ends after the change, with what was before counted in; the old bound for each that ended before. Where the new window reaches back to calls
// that the old rate had no reason to remember, they count as late as they may have been, so that after a change to a longer Per nobody may be admitted
// for up to that Per.
//
// # Errors
//
// A rejected call returns a *mettle.RejectedError that unwraps to ErrLimited or, if the context ended while the call waited, to both what ctx.Err and
// what context.Cause say. Its RetryAfter is the time from now, when asked, until a call as large would be admitted without a wait if nobody else came;
// it is unknown where that is never, since Burst is too small. Any other error is the function's own, as it is.
//
// # Events
//
// mettle.Rejected, with the *mettle.RejectedError as Err and the time that the call would have had to wait as Wait. Allow and Reserve, which have
// no context, tell theirs under context.Background.
//
// # Concurrency, cancellation, panics
//
// A Limiter is safe for concurrent use. A call that need not wait is admitted without a look at its context: fn runs, and sees it. A call counts
// from the instant at which it may begin, and all bounds are about those instants: a goroutine that a busy machine wakes later, a slow
// network and the owner of a Reservation who takes his time may bring calls closer together than that. However a call ends, by a panic too,
// nothing is given back.
//
// Clocks of different processors that disagree by a little do no harm: no bound is exceeded.
//
// Limiters keep the timers of past waiters for the next. In tests with testing/synctest, make the Limiter inside of the bubble.
//
// # Cost
//
// To admit or to reject: a clock reading, an atomic word, a counter; no lock, no allocation. While a freed place is waiting for its taker,
// and always with Strict, it takes a short lock as well. To wait costs a timer, but no allocation once as many have waited before. A Reservation,
// the rejection of more than one call, and an ended context allocate.
//
// # Mistakes
//
// Wrong: a limiter built for each call. It limits nothing. Build it once, next to what it protects.
//
// Wrong: the limiter outside of the retry. The other attempts are not counted.
//
//	mettle.Compose(ratelimit.New(c), retry.New(retry.Config{}))
//
// Right: inside, where each attempt is a call.
//
//	mettle.Compose(retry.New(retry.Config{}), ratelimit.New(c))
//
// Wrong: a Reservation whose Delay is not waited for, or that is dropped without Cancel. Its token is gone either way.
package ratelimit
