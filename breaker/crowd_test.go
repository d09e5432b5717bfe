package breaker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd that comes at once when the cooldown is over: as many as there are probes get in, although one of them has to change the state
// first. Only where he loses his processor right then, the others may be rejected.
func TestACrowdGetsAllProbes(t *testing.T) {
	const probes, rounds = 3, 500
	fewer := 0
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			b := New(Config{Trip: Consecutive(1), Cooldown: time.Second, Probes: probes, Successes: 10})
			b.Do(t.Context(), func(context.Context) error { return errors.New("down") })
			time.Sleep(time.Second)
			inside, release := make(chan bool, crowd), make(chan struct{})
			var wg sync.WaitGroup
			for range crowd {
				wg.Go(func() {
					b.Do(t.Context(), func(context.Context) error {
						inside <- true
						<-release
						return nil
					})
				})
			}
			synctest.Wait()
			switch n := len(inside); {
			case n > probes || n == 0:
				t.Errorf("%d of %d got in, want %d", n, crowd, probes)
			case n < probes:
				fewer++
			}
			close(release)
			wg.Wait()
		})
	}
	if fewer > rounds/100 {
		t.Errorf("fewer than %d got in %d of %d times", probes, fewer, rounds)
	}
}
