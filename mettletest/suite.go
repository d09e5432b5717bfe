package mettletest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/mettle-go/mettle"
)

// Config says how to make the policy that is tested.
type Config struct {
	// New returns a new policy, as it is used, that lets calls through. It is called several times, each time
	// in a bubble of testing/synctest, where it may make calls and sleep. The observer, which may be nil, is for
	// the policy's Config; ignore it if the policy has no events. Must be set.
	//
	// The policy must still let calls through after a single failed one, must give up on a function that always fails, and must be
	// as it was within ten minutes of the bubble's time. A limit below 64 calls at once lets the suite see lost places.
	New func(observer mettle.Observer) mettle.Policy
	// Rejecting returns a new policy of the same kind that rejects every call, at once or after some time: an open breaker, a full
	// bulkhead. It is called as New is. Nil means that the policy never rejects; TestGate needs it.
	Rejecting func(observer mettle.Observer) mettle.Policy
	// Skip names checks that are left out, each with the reason, which is printed. Nil means none.
	Skip map[string]string
}

func (c Config) validate(gate bool) error {
	if c.New == nil {
		return fmt.Errorf("mettletest: Config.New is nil, want a function")
	}
	if gate && c.Rejecting == nil {
		return fmt.Errorf("mettletest: Config.Rejecting is nil, want a function: a gate rejects")
	}
	known := make(map[string]bool)
	for _, k := range slices.Concat(policyChecks, gateChecks) {
		known[k.name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.Skip)) {
		if !known[name] {
			return fmt.Errorf("mettletest: Config.Skip has %q, want the name of a check", name)
		}
	}
	return nil
}

// stacked returns c with each policy alone in a Stack.
func (c Config) stacked() Config {
	in := func(make func(mettle.Observer) mettle.Policy) func(mettle.Observer) mettle.Policy {
		if make == nil {
			return nil
		}
		return func(o mettle.Observer) mettle.Policy {
			p := make(o)
			if p == nil {
				return nil
			}
			return mettle.Compose(p)
		}
	}
	return Config{New: in(c.New), Rejecting: in(c.Rejecting), Skip: c.Skip}
}

// TestPolicy checks that the policies made by c keep the contract of mettle.Policy: one subtest for each promise, listed in the
// package's description. It fails t at once if c is misconfigured.
func TestPolicy(t *testing.T, c Config) {
	t.Helper()
	if err := c.validate(false); err != nil {
		t.Fatal(err)
	}
	for _, k := range policyChecks {
		k.apply(t, c)
	}
}

// TestGate checks that the policies made by c keep the contract of mettle.Gate. It does what TestPolicy does, and again, as subtests
// of "stack", with each gate in a Stack, which runs it by Acquire and Done; then it checks those two by themselves. It fails t at
// once if c is misconfigured.
func TestGate(t *testing.T, c Config) {
	t.Helper()
	if err := c.validate(true); err != nil {
		t.Fatal(err)
	}
	for _, k := range slices.Concat(policyChecks, gateChecks) {
		k.apply(t, c)
	}
	t.Run("stack", func(t *testing.T) {
		for _, k := range policyChecks {
			k.apply(t, c.stacked())
		}
	})
}

var policyChecks = []check{
	{"success", "Do runs the function and returns nil when the function did", trySuccess},
	{"value", "Call returns the value of a run that succeeded", tryValue},
	{"error", "the function's error is reached by errors.Is and errors.As, and is no rejection", tryError},
	{"rejection", "an error is mettle.ErrRejected exactly when the function did not run", tryRejection},
	{"context", "the function's context has the caller's values, deadline, cancellation and cause", tryContext},
	{"waiting", "the end of the caller's context ends every wait, and nothing runs after it", tryWaiting},
	{"ended", "Do returns when every run has ended, and not before", tryEnded},
	{"goroutines", "no goroutine outlives the call that started it", tryGoroutines},
	{"places", "a place comes back on success, error, panic and runtime.Goexit", tryPlaces},
	{"panic", "a panic of the function passes through Do, not recovered, with its value", tryPanic},
	{"goexit", "a runtime.Goexit of the function passes through Do", tryGoexit},
	{"observer", "an observer may call back into the policy, and gets whole events", tryObserver},
	{"describe", "Describe tells a kind and sound metrics, at any moment", tryDescribe},
	{"concurrent", "many goroutines share the policy, and each gets its own result", tryConcurrent},
	{"overlap", "runs that overlap have branches of their own, and the kept one's value is the call's", tryOverlap},
}

var gateChecks = []check{
	{"gate", "Do runs the function once, under the caller's context, and returns its error as it is", tryPlain},
	{"acquire", "Acquire admits as many as Do, and Done gives the place back, from any goroutine", tryAcquire},
	{"turned-away", "a rejected Acquire returns the zero Permit and a *mettle.RejectedError", tryTurnedAway},
	{"waiter", "who leaves the queue leaves nothing behind", tryWaiter},
}
