package retry_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/retry"
)

// In a total outage, load must not exceed (1 + ratio) times that of the calls, plus the floor: over the whole time, from one client and from a
// hundred who share a policy.
func TestBudgetBoundsTheLoadOfAnOutage(t *testing.T) {
	const ratio, floor, ttl, length = 0.2, 10.0, 10 * time.Second, 30 * time.Second
	for _, clients := range []int{1, 100} {
		synctest.Test(t, func(t *testing.T) {
			p := retry.New(retry.Config{Attempts: 5, Backoff: retry.Constant(5 * time.Millisecond)}) // the default budget
			var calls, attempts, refused atomic.Int64
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for begin := time.Now(); time.Since(begin) < length; time.Sleep(20 * time.Millisecond) {
						calls.Add(1)
						err := p.Do(t.Context(), func(context.Context) error {
							attempts.Add(1)
							return errReset
						})
						if !errors.Is(err, errReset) {
							t.Errorf("%v has lost the real error", err)
						}
						if errors.Is(err, retry.ErrBudget) {
							refused.Add(1)
						}
					}
				})
			}
			wg.Wait()
			most := (1+ratio)*float64(calls.Load()) + floor*(length+ttl).Seconds()
			if float64(attempts.Load()) > most {
				t.Errorf("%d clients: %d attempts for %d calls, want at most %.0f", clients, attempts.Load(), calls.Load(), most)
			}
			if refused.Load() < calls.Load()/2 {
				t.Errorf("%d clients: only %d of %d calls were refused a retry", clients, refused.Load(), calls.Load())
			}
		})
	}
}

// After an outage single failures are retried again, as if there had been none.
func TestBudgetRefillsAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := retry.New(retry.Config{Backoff: instant})
		down := true
		call := func() error {
			n := 0
			return p.Do(t.Context(), func(context.Context) error {
				if n++; down || n == 1 {
					return errReset
				}
				return nil
			})
		}
		for range 1000 {
			call()
		}
		if err := call(); !errors.Is(err, retry.ErrBudget) {
			t.Fatalf("in the outage: %v, want ErrBudget", err)
		}
		down = false
		time.Sleep(10 * time.Second)
		for range 100 { // the floor of the time to live
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRefusedBudgetReturnsAtOnceWithTheRealError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBudget(retry.BudgetConfig{Floor: 0.1, TTL: 10 * time.Second}) // one token
		var events []mettle.Event
		p := retry.New(retry.Config{Name: "users", Budget: b, Backoff: retry.Constant(time.Second), Observer: func(_ context.Context, e mettle.Event) {
			events = append(events, e)
		}})
		fn, calls := script(errReset)
		begin := time.Now()
		err := p.Do(t.Context(), fn)
		if *calls != 2 || time.Since(begin) != time.Second || !errors.Is(err, retry.ErrBudget) || !errors.Is(err, errReset) {
			t.Errorf("%d calls in %v, %v; want 2 in 1s, then the error and ErrBudget at once", *calls, time.Since(begin), err)
		}
		if want := "retry: users: gave up after 2 attempts in 1s (budget used up): connection reset"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		if len(events) != 1 {
			t.Errorf("%d events, want one: a refused retry is none", len(events))
		}
	})
}

func TestCostOfRetries(t *testing.T) {
	rejection := mettle.Reject("gate", "", nil, nil)
	for _, c := range []struct {
		name  string
		rule  retry.Rule
		err   error
		calls int // with a budget of 6 tokens
	}{
		{"one token", retry.Rule{If: retry.Is(errReset), Attempts: 100}, errReset, 7},
		{"two tokens", retry.Rule{If: retry.Is(errReset), Attempts: 100, Cost: 2}, errReset, 4},
		{"more than there are", retry.Rule{If: retry.Is(errReset), Attempts: 100, Cost: 7}, errReset, 1},
		{"a rejection costs nothing", retry.Rule{If: retry.Is(mettle.ErrRejected), Attempts: 50, Cost: 2}, rejection, 50},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := retry.NewBudget(retry.BudgetConfig{Floor: 0.6, TTL: 10 * time.Second})
			fn, calls := script(c.err)
			err := retry.New(retry.Config{Rules: []retry.Rule{c.rule}, Backoff: instant, Budget: b}).Do(t.Context(), fn)
			if *calls != c.calls {
				t.Errorf("%s: %d calls, want %d: %v", c.name, *calls, c.calls, err)
			}
		})
	}
}

// The tokens of a retry that never took place go back.
func TestCanceledWaitGivesItsTokensBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBudget(retry.BudgetConfig{Floor: 0.5, TTL: 10 * time.Second})
		p := retry.New(retry.Config{Budget: b, Backoff: retry.Constant(time.Second)})
		before := b.Available()
		left := errors.New("the caller left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(300*time.Millisecond, func() { cancel(left) })
		fn, _ := script(errReset)
		begin := time.Now()
		err := p.Do(ctx, fn)
		if time.Since(begin) != 300*time.Millisecond || !errors.Is(err, left) || !errors.Is(err, context.Canceled) || !errors.Is(err, errReset) {
			t.Errorf("after %v: %v; want the cause and the last error at the instant of the cancellation", time.Since(begin), err)
		}
		if after := b.Available(); after < before {
			t.Errorf("%v tokens after the canceled wait, %v before", after, before)
		}
	})
}

func TestPoliciesShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := retry.NewBudget(retry.BudgetConfig{Floor: 0.3, TTL: 10 * time.Second}) // three tokens
		total := 0
		for range 3 {
			fn, calls := script(errReset)
			retry.New(retry.Config{Budget: b, Backoff: instant, Attempts: 3}).Do(t.Context(), fn)
			total += *calls
		}
		if total != 6 {
			t.Errorf("%d attempts of three policies, want 3 calls and 3 retries", total)
		}
	})
}

// With failures of probability p and up to n attempts, a call succeeds with 1-p^n and takes (1-p^n)/(1-p) attempts on average.
func TestAttemptsAndSuccessAreThoseOfTheGeometricDistribution(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const calls = 40_000
	for _, p := range []float64{0.05, 0.3, 0.7} {
		for _, n := range []int{1, 2, 3, 8} {
			policy := retry.New(retry.Config{Attempts: n, Backoff: instant, Budget: retry.Unlimited})
			attempts, successes := 0, 0
			for range calls {
				if policy.Do(t.Context(), func(context.Context) error {
					if attempts++; rng.Float64() < p {
						return errReset
					}
					return nil
				}) == nil {
					successes++
				}
			}
			success := 1 - math.Pow(p, float64(n))
			// Five standard deviations of a share; an attempt count varies by no more than n times as much.
			within := 5 * math.Sqrt(success*(1-success)/calls)
			if got := float64(successes) / calls; math.Abs(got-success) > within+1e-9 {
				t.Errorf("p %v, n %d: success %v, want %v", p, n, got, success)
			}
			mean := success / (1 - p)
			if got := float64(attempts) / calls; math.Abs(got-mean) > 5*float64(n)/math.Sqrt(calls) {
				t.Errorf("p %v, n %d: %v attempts a call, want %v", p, n, got, mean)
			}
		}
	}
}
