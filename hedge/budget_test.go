package hedge_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
)

func metrics(p *hedge.Policy) map[string]float64 {
	m := map[string]float64{}
	for _, metric := range p.Describe().Metrics {
		m[metric.Name] = metric.Value
	}
	return m
}

// A server that hangs on every call gets at most a twentieth more, however many clients it has.
func TestBudgetBoundsTheLoad(t *testing.T) {
	for _, clients := range []int{1, 100} {
		synctest.Test(t, func(t *testing.T) {
			p := hedge.New(hedge.Config{Delay: s, Max: 3})
			var wg sync.WaitGroup
			start := time.Now()
			for range clients {
				wg.Go(func() {
					for range 1000 / clients {
						p.Do(t.Context(), func(ctx context.Context) error {
							select {
							case <-ctx.Done():
							case <-time.After(10 * s):
							}
							return errDown
						})
					}
				})
			}
			wg.Wait()
			m := metrics(p)
			most := 0.05*1000 + 1*(time.Since(start).Seconds()+10)
			if m["calls"] != 1000 || m["hedges"] > most || m["hedges_refused"] == 0 && clients > 1 {
				t.Errorf("%d clients: %v, want at most %v hedges", clients, m, most)
			}
			if m["hedges"] < 50 {
				t.Errorf("%d clients: %v, want at least a twentieth", clients, m)
			}
		})
	}
}

func TestSpentBudgetMeansNoHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := hedge.NewBudget(hedge.BudgetConfig{Ratio: 0.5})
		a := hedge.New(hedge.Config{Delay: s, Budget: budget})
		b := hedge.New(hedge.Config{Delay: s, Budget: budget}) // they share it
		for i, p := range []*hedge.Policy{a, b, a, b} {
			script := &script{behaviors: []behavior{{takes: 2 * s}, {takes: s / 2}}}
			if _, err := mettle.Call(t.Context(), p, script.call); err != nil {
				t.Error(err)
			}
			if want := 1 + i%2; len(script.started) != want { // two calls make one token
				t.Errorf("call %d: %d runs, want %d", i, len(script.started), want)
			}
		}
		if m := metrics(a); m["hedges"] != 0 || m["hedges_refused"] != 2 {
			t.Errorf("%v, want 2 refused", m)
		}
		if m := metrics(b); m["hedges"] != 2 || m["hedges_won"] != 2 || m["calls"] != 2 {
			t.Errorf("%v, want 2 hedges in 2 calls, all of which won", m)
		}
	})
}

func TestNoHedgeWithoutTimeForIt(t *testing.T) {
	for _, c := range []struct {
		deadline time.Duration // 0: canceled after 500 ms
		runs     int
	}{
		{0, 1},
		{900 * time.Millisecond, 1},
		{1099 * time.Millisecond, 1}, // less than a tenth of the delay is left
		{1100 * time.Millisecond, 2},
		{time.Hour, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			if c.deadline > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), c.deadline)
			} else {
				time.AfterFunc(500*time.Millisecond, cancel)
			}
			defer cancel()
			script := &script{behaviors: []behavior{{takes: 5 * s, stubborn: true}}}
			p := hedge.New(hedge.Config{Delay: s, Budget: hedge.Unlimited})
			mettle.Call(ctx, p, script.call)
			if n := int(metrics(p)["hedges"]); len(script.started) != c.runs || n != c.runs-1 {
				t.Errorf("deadline %v: %d runs and %d hedges counted, want %d runs", c.deadline, len(script.started), n, c.runs)
			}
		})
	}
}

func TestQuantileLearnsTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := hedge.New(hedge.Config{Quantile: 0.9, Budget: hedge.Unlimited})
		r := rand.New(rand.NewPCG(1, 2))
		var slow time.Duration
		call := func(scale time.Duration) (runs int) {
			slow = scale/2 + time.Duration(r.Int64N(int64(scale))) // uniform between half and one and a half
			script := &script{behaviors: []behavior{{takes: slow}}}
			if _, err := mettle.Call(t.Context(), p, script.call); err != nil {
				t.Fatal(err)
			}
			return len(script.started)
		}
		for i := range 99 {
			if runs := call(s); runs != 1 {
				t.Fatalf("call %d: %d runs, want 1 while the delay is not known", i, runs)
			}
		}
		if d := metrics(p)["delay_seconds"]; d != 0 {
			t.Errorf("delay %v s after 99 calls, want 0: unknown", d)
		}
		hedged := 0
		for range 2000 {
			hedged += call(s) - 1
		}
		if d := metrics(p)["delay_seconds"]; d < 1.37 || d > 1.43 {
			t.Errorf("delay %v s, want 1.4", d)
		}
		// Were the runs that hedges overtook left out, the delay would creep down and everything be hedged.
		if hedged < 150 || hedged > 250 {
			t.Errorf("%d of 2000 calls were hedged, want about a tenth", hedged)
		}
		for range 1000 {
			call(5 * s)
		}
		if d := metrics(p)["delay_seconds"]; d < 6.7 || d > 7.3 {
			t.Errorf("delay %v s after a window of calls five times as slow, want 7", d)
		}
	})
}

// A service that is down answers fast. That must not pass for its speed.
func TestQuickFailuresDoNotShortenTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := hedge.New(hedge.Config{Quantile: 0.9, Budget: hedge.Unlimited})
		for range 200 {
			p.Do(t.Context(), func(context.Context) error { time.Sleep(s); return nil })
		}
		for range 2000 {
			p.Do(t.Context(), func(context.Context) error { time.Sleep(time.Millisecond); return errDown })
		}
		if d := metrics(p)["delay_seconds"]; d < 0.98 || d > 1.02 {
			t.Errorf("delay %v s, want 1", d)
		}
	})
}

func TestObserverHearsOfEachHedge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var events []mettle.Event
		var p *hedge.Policy
		p = hedge.New(hedge.Config{Name: "users", Delay: s, Max: 2, Budget: hedge.Unlimited, Observer: func(ctx context.Context, e mettle.Event) {
			mu.Lock()
			events = append(events, e)
			mu.Unlock()
			p.Describe() // may be called back
			p.Do(ctx, func(context.Context) error { return nil })
		}})
		script := &script{behaviors: []behavior{{takes: 9 * s}, {takes: 8 * s}, {takes: s}}}
		mettle.Call(t.Context(), p, script.call)
		want := mettle.Event{Kind: mettle.Hedged, Policy: "hedge", Name: "users", Attempt: 2}
		if len(events) != 2 || events[0] != want {
			t.Fatalf("%+v, want two, the first %+v", events, want)
		}
		if want.Attempt = 3; events[1] != want {
			t.Errorf("%+v, want %+v", events[1], want)
		}
		if d := p.Describe(); d.Kind != "hedge" || d.Name != "users" || d.Limit != 2 || metrics(p)["delay_seconds"] != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// While the observer takes its time the call may be decided; then the run is not made, and costs no token.
func TestSlowObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := hedge.NewBudget(hedge.BudgetConfig{Ratio: 1})
		p := hedge.New(hedge.Config{Delay: s, Budget: budget, Observer: func(context.Context, mettle.Event) { time.Sleep(3 * s) }})
		script := &script{behaviors: []behavior{{takes: 2 * s}}}
		start := time.Now()
		if _, err := mettle.Call(t.Context(), p, script.call); err != nil || len(script.started) != 1 {
			t.Errorf("%v, %d runs, want 1", err, len(script.started))
		}
		if took := time.Since(start); took != 4*s || budget.Available() != 1 {
			t.Errorf("took %v, %v tokens; want 4s, since observers are waited for, and 1", took, budget.Available())
		}
	})
}
