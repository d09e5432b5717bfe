package mettle_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// soon is a hedge that is not bounded by a budget.
func soon() mettle.Policy {
	return hedge.New(hedge.Config{Delay: 100 * time.Millisecond, Budget: hedge.Unlimited})
}

// A hedge around the retry takes the backoff for slowness: the call is retried twice, at the same time.
func TestOrderHedgeInsideTheRetry(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order // of the retry and the hedge
		runs    int
	}{
		{"inside", asGiven, 3},
		{"outside", reversed, 6},
	} {
		synctest.Test(t, func(t *testing.T) {
			again := retry.New(retry.Config{Attempts: 3, Backoff: retry.Constant(time.Second)})
			dep := mettletest.NewScript().Then(mettletest.Fail(errDown)) // at once: there is nothing that a hedge could help
			if err := c.compose(again, soon()).Do(t.Context(), dep.Run); err == nil || dep.Calls() != c.runs {
				t.Errorf("%s: %d runs, %v; want %d", c.name, dep.Calls(), err, c.runs)
			}
		})
	}
}

// Gates around a hedge admit a call, and two runs of it get through: more than a bulkhead's limit, more than a breaker's probes.
func TestOrderGatesInsideTheHedge(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order // of the hedge and a gate
		peak    int
	}{
		{"inside", asGiven, 1},
		{"outside", reversed, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			dep := mettletest.NewScript().Then(mettletest.Slow(time.Second, mettletest.Succeed()))
			bh := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1})
			if err := c.compose(soon(), bh).Do(t.Context(), dep.Run); err != nil || dep.Peak() != c.peak {
				t.Errorf("bulkhead %s: %d runs at a time with a limit of 1, %v; want %d", c.name, dep.Peak(), err, c.peak)
			}
			if inside, waiting := metric(bh, "inside"), metric(bh, "waiting"); inside != 0 || waiting != 0 {
				t.Errorf("bulkhead %s: %v inside and %v waiting afterwards", c.name, inside, waiting)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			dep := mettletest.NewScript().Then(mettletest.Slow(time.Second, mettletest.Succeed()))
			br := breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Successes: 1})
			br.Do(t.Context(), down)
			time.Sleep(5 * time.Second) // the cooldown: the next call is the one probe
			if err := c.compose(soon(), br).Do(t.Context(), dep.Run); err != nil || dep.Peak() != c.peak || br.State() != breaker.Closed {
				t.Errorf("breaker %s: %d runs for one probe, %v, then %v; want %d, closed", c.name, dep.Peak(), err, br.State(), c.peak)
			}
		})
	}
}

// A timeout around the hedge gives the second run what the first has left over; inside, each has its own.
func TestOrderTimeoutInsideTheHedge(t *testing.T) {
	for _, c := range []struct {
		name    string
		compose order // of the hedge and the timeout
		ok      bool
	}{
		{"inside", asGiven, true},
		{"outside", reversed, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			answer := mettletest.Slow(950*time.Millisecond, mettletest.Succeed())
			dep := mettletest.NewScript(mettletest.Hang()).Then(answer)
			if err := c.compose(soon(), timeout.After(time.Second)).Do(t.Context(), dep.Run); (err == nil) != c.ok || dep.Calls() != 2 {
				t.Errorf("%s: %v after %d runs, want a success: %v", c.name, err, dep.Calls(), c.ok)
			}
		})
	}
}
