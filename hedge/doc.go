// Package hedge starts a call again beside itself when it is slow, and takes the answer that comes first.
//
// # When to use it
//
// For calls whose latency has a long tail that is not the request's own fault: one of many replicas that collects garbage, a lost packet, a
// cold cache. A second run mostly lands elsewhere and is back long before the slow one. The call must be safe to run twice, at the same
// time.
//
// # Not for
//
// Overloaded servers: a hedge is more load, and makes an overloaded server worse. The budget bounds that to 5%; a breaker or a
// bulkhead inside protects the server itself. Calls that change something, unless the server recognizes repeats. Calls that fail: a hedge
// is no retry; put one outside.
//
// # Example
//
//	var tail = hedge.New(hedge.Config{Quantile: 0.95})
//
//	user, err := mettle.Call(ctx, tail, func(ctx context.Context) (User, error) { return db.User(ctx, 7) })
//
// # Defaults
//
//	Delay, Quantile  none: one of them must be set
//	Max              1 further run
//	Budget           one further run for 20 calls, and one a second beside, over 10 s
//
// # What happens in a call
//
// The first run starts at once. If it has not ended after the delay, a second starts; with Max more than 1 a third starts another
// delay later, and so on. No run starts once one has won or the first has ended, when the budget is spent, when the context has
// ended, or when its deadline leaves less than a tenth of the delay.
//
// The first success wins, and a run that failed never beats one that is still going: while another run goes on, a failure is only noted. A
// first run that fails before the second has started ends the call at once with its error. A run that was rejected by
// an inner policy does not win, and a further one that was gets its token back.
//
// When one has won the others are canceled, with the cause ErrLost, and Do waits for them. Their results are released: a value that
// mettle.Call would have returned and that has a method Close() error or Close() is closed. A result that has to be released in another
// way, such as an *http.Response by its Body, is better wrapped in one that has a Close.
//
// # Delay
//
// With Delay the wait is fixed. With Quantile it is what that share of the latest calls took, exact to 2%: of the latest 500 to 1000
// calls for 0.95, of 2500 to 5000 for 0.99. Only first runs count, and one that was overtaken counts with the time until its end. Until
// a tenth of that many calls is known, nothing is hedged. When all calls get slower, the delay follows.
//
// # Results that outlive the call
//
// As with a timeout, the context of a run ends when Do returns. Where the result still needs it, call Hold within the function:
//
//	rows, err := db.QueryContext(ctx, query)
//	if err != nil {
//		return nil, err
//	}
//	return &Rows{rows, hedge.Hold(ctx)}, nil // whose Close closes the rows and then releases the context
//
// # Errors
//
// The error of a single run that failed is passed as it is. When several have failed it is *Error, which unwraps to the errors
// of all, the first run's first.
//
// # Events
//
// mettle.Hedged, with the number of the run that starts: 2 for the first hedge. Its observer is called in the goroutine of that
// run, before it starts.
//
// # Concurrency, cancellation, panics
//
// A Policy is safe for concurrent use. The first run is in the caller's goroutine, each further one in its own; Do returns when all
// have ended. So a function that does not heed its context is waited for, however fast the other run was.
//
// A panic in the first run passes through, after the others have been canceled and waited for. A panic in a further run
// ends the program, as in any goroutine: it cannot be handed to the caller without losing its stack. A function that may panic should recover
// by itself. A further run that calls runtime.Goexit has failed.
//
// # Cost
//
// A call that is not hedged costs a timer, four allocations, and about half of what the same costs by hand with a channel and a select: see
// the benchmarks. With Quantile come two clock readings and what it takes to note the latency, together some 150 ns. The context is tied
// to the caller's only when the function asks for Done. A policy with a Quantile takes 26 KiB at most, mostly less than 10.
//
// # Mistakes
//
// Wrong: results by assignment. Two runs write the same variable at once.
//
//	err := tail.Do(ctx, func(ctx context.Context) (err error) { user, err = db.User(ctx, 7); return err })
//
// Right: results by value, through mettle.Call, as above.
//
// Wrong: a delay near the median. Half of the calls would be made twice, and the budget is soon spent on calls that need no help. Take a
// high quantile.
//
// Wrong: a hedge around a retry. Both runs then retry, and waits look like slowness. Hedge each attempt:
//
//	mettle.Compose(retry.New(retry.Config{}), hedge.New(hedge.Config{Quantile: 0.95}))
package hedge
