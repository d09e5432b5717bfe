package hedge_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// service hands out connections, after a while, sometimes; it remembers what became of each.
type service struct {
	mu      sync.Mutex
	r       *rand.Rand
	running int
	given   []*conn
	failed  int
}

func (v *service) connect(ctx context.Context) (*conn, error) {
	v.mu.Lock()
	takes := time.Duration(v.r.Int64N(int64(3 * s)))
	polite, fails := v.r.IntN(4) > 0, v.r.IntN(3) == 0
	v.running++
	v.mu.Unlock()
	err := error(nil)
	if fails {
		err = errDown
	}
	done := ctx.Done()
	if !polite {
		done = nil
	}
	select {
	case <-time.After(takes):
	case <-done:
		err = context.Cause(ctx)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.running--
	if err != nil {
		v.failed++
		return nil, err
	}
	c := &conn{run: len(v.given)}
	v.given = append(v.given, c)
	return c, nil
}

// stackOf makes hedges in retries in breakers in whatever comes.
func stackOf(r *rand.Rand) *mettle.Stack {
	var policies []mettle.Policy
	for range 1 + r.IntN(4) {
		switch r.IntN(5) {
		case 0:
			policies = append(policies, retry.New(retry.Config{Attempts: 1 + r.IntN(3), Backoff: retry.Constant(time.Duration(r.Int64N(int64(s))))}))
		case 1:
			policies = append(policies, breaker.New(breaker.Config{Trip: breaker.Consecutive(2 + r.IntN(4)), Cooldown: s}))
		case 2:
			policies = append(policies, timeout.After(time.Duration(1+r.Int64N(int64(4*s)))))
		default:
			policies = append(policies, hedge.New(hedge.Config{
				Delay: time.Duration(1 + r.Int64N(int64(2*s))), Max: r.IntN(4), Budget: hedge.Unlimited,
			}))
		}
	}
	return mettle.Compose(policies...)
}

// Nothing is lost and nothing leaks: every connection is either what a call returned, open, or was closed once; a
// call fails only if no run of it succeeded; and when it returns no run of it is left. A goroutine that is left fails its bubble.
func TestRandomStacks(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 42))
			stack := stackOf(r)
			var wg sync.WaitGroup
			for range 3 { // callers that share the stack
				v := &service{r: rand.New(rand.NewPCG(r.Uint64(), 1))}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				left := errors.New("the caller left")
				if r.IntN(3) == 0 {
					time.AfterFunc(time.Duration(r.Int64N(int64(4*s))), func() { cancel(left) })
				}
				wg.Go(func() {
					for range 4 {
						v.given, v.failed = nil, 0
						got, err := mettle.Call(ctx, stack, v.connect)
						if v.running != 0 {
							t.Errorf("seed %d, %v: %d runs outlived the call", seed, stack, v.running)
							return
						}
						known := errors.Is(err, errDown) || errors.Is(err, mettle.ErrRejected) || errors.Is(err, context.DeadlineExceeded) ||
							ctx.Err() != nil && (errors.Is(err, left) || errors.Is(err, context.Canceled))
						switch {
						case err != nil && (got != nil || len(v.given) > 0):
							t.Errorf("seed %d, %v: %v, although %d runs succeeded", seed, stack, err, len(v.given))
						case err != nil && !known:
							t.Errorf("seed %d, %v: %v, which nobody returned", seed, stack, err)
						case err == nil && got == nil:
							t.Errorf("seed %d, %v: the value is lost", seed, stack)
						case errors.Is(err, mettle.ErrRejected) && v.failed > 0:
							t.Errorf("seed %d, %v: %v, but %d runs took place", seed, stack, err, v.failed)
						}
						for _, c := range v.given {
							want := int32(1)
							if c == got {
								want = 0
							}
							if n := c.closed.Load(); n != want {
								t.Errorf("seed %d, %v: connection %d of %d was closed %d times, want %d", seed, stack, c.run, len(v.given), n, want)
							}
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
