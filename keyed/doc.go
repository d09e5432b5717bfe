// Package keyed keeps one policy for each key: a breaker a host, a rate limit a tenant.
//
// # When to use it
//
// Where one program calls many dependencies of one kind, or serves many clients, and what happens to one must not be held against
// the others. Keys come by themselves; what nobody uses any more goes by itself.
//
// # Not for
//
// A handful of dependencies that are known beforehand: variables are simpler. Keys of a user's free choice, without a thought about
// Max: who can make up keys can fill the map, and with a policy that keeps state, such as a rate limit, shut others out until that state is
// gone. A limit for all keys together: put one policy around. A registry where any part of a program finds policies by
// name: pass them on instead.
//
// # Example
//
//	var hosts = keyed.New(keyed.Config[string]{
//		New: func(host string) mettle.Policy { return breaker.New(breaker.Config{Name: host}) },
//	})
//
//	page, err := mettle.Call(ctx, hosts.For(u.Host), func(ctx context.Context) (Page, error) { return get(ctx, u) })
//
// # Defaults
//
//	New   none: what a key needs is for the author to say
//	Max   10,000 keys
//	Idle  10 min
//
// # What is kept
//
// A policy is in use from the beginning of a call to its end, or from an Acquire to its permit's Done. A policy in use is never dropped,
// so that a key never has two policies at work: not two breakers of which one is open, not two bulkheads which let in twice as many.
//
// Nor is one dropped that remembers something. It is asked: by its method Fresh() bool, which says whether it is as good as a new one; a stack is
// fresh if all of its policies are; any other is fresh if the State of its Describe is empty or "closed". So a rate limit
// stays until its whole burst is back, and it and a bulkhead for as long as a hand has given them another limit. A breaker stays while it is
// open or half-open, but not for ever: one that would have admitted a probe for as long as its MaxCooldown, and nobody came, is of no use any more.
// A policy that can tell nothing is taken to be fresh.
//
// Of the rest, a policy goes when it has had no call for Idle: soon after in a busy program, and the later the fewer calls there are, since
// calls do the tidying. It goes at once when its place is needed for another key: one that had no call for some time, if there is one.
// When the map is full of policies that must stay, calls of other keys are rejected; each tries again whether there is
// room by now. With very many keys that may take notice only after Max microseconds.
//
// # Errors
//
// A *mettle.RejectedError with ErrFull, or from Acquire with ErrNoGate. Any other error is the policy's or the function's own, as it is.
//
// # Events
//
// mettle.Rejected, with the *mettle.RejectedError as Err, when the map itself rejects. The policies tell their own observers.
//
// # Concurrency, cancellation, panics
//
// A Map is safe for concurrent use, and calls of different keys share nothing but the look-up. It holds no lock while it calls Config.New, a
// policy's Fresh or Describe, an observer or the function. A panic of any of these passes through, as does runtime.Goexit, and leaves
// the map as it was. No goroutine and no timer belongs to it: calls do the tidying, one in 16 of a key and each that makes a policy,
// some hundred entries at a time.
//
// # Cost
//
// For: a hash and a look-up, no lock, no allocation if the key has a policy. A call adds two atomic additions to what its policy costs, and no
// closure: mettle.Call through For allocates what it would allocate with the policy itself. As one layer of a mettle.Stack, what For returns
// costs one allocation. A key takes about 100 bytes beside the key's text and the policy.
//
// # Mistakes
//
// Wrong: the map within a stack that is built for each call. Right: a call within a call.
//
//	err := all.Do(ctx, func(ctx context.Context) error { return hosts.For(u.Host).Do(ctx, fn) })
//
// Wrong: to hold on to what All yields and call it. It may be dropped meanwhile, and its key get another. Right: For.
//
// Wrong: a map made for each request. It keeps nothing. Right: one variable next to what it protects.
//
// Wrong: whole URLs as keys, where the host is what fails. Each breaker sees one call and never opens.
package keyed
