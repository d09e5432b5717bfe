package breaker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/breaker"
)

// wantDescription checks state and metrics, the latter written as "calls=1 failures=0 …".
func wantDescription(t *testing.T, b *breaker.Breaker, state, metrics string) {
	t.Helper()
	d := b.Describe()
	got := ""
	for _, m := range d.Metrics {
		got += fmt.Sprintf(" %s=%v", m.Name, m.Value)
	}
	if d.Kind != "breaker" || d.Name != "db" || d.State != state || got != " "+metrics {
		t.Errorf("got %s %s %s%s\nwant %s %s", d.Kind, d.Name, d.State, got, state, metrics)
	}
}

func metric(t *testing.T, b *breaker.Breaker, name string) float64 {
	t.Helper()
	for _, m := range b.Describe().Metrics {
		if m.Name == name {
			return m.Value
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Name: "db", Trip: breaker.Consecutive(2), Cooldown: 10 * time.Second})
		canceled, cancel := context.WithCancel(bg)
		cancel()
		wantDescription(t, b, "closed", "calls=0 failures=0 rejections=0 openings=0 trips=0 failure_rate=0 in_state_seconds=0")
		b.Do(bg, nothing)
		b.Do(bg, down)
		b.Do(bg, nothing)
		b.Do(bg, nothing)
		b.Do(canceled, down)
		time.Sleep(time.Second)
		wantDescription(t, b, "closed", "calls=4 failures=1 rejections=0 openings=0 trips=0 failure_rate=0.25 in_state_seconds=1")
		b.Do(bg, down)
		b.Do(bg, down)
		time.Sleep(4 * time.Second)
		b.Do(bg, nothing)
		wantDescription(t, b, "open", "calls=6 failures=3 rejections=1 openings=1 trips=1 failure_rate=0 in_state_seconds=4 probe_in_seconds=6")
		time.Sleep(time.Minute)
		wantDescription(t, b, "open", "calls=6 failures=3 rejections=1 openings=1 trips=1 failure_rate=0 in_state_seconds=64 probe_in_seconds=0")
		b.Do(bg, nothing)
		wantDescription(t, b, "half-open", "calls=7 failures=3 rejections=1 openings=1 trips=1 failure_rate=0 in_state_seconds=0")
		b.Do(bg, down)
		b.ForceOpen()
		b.Do(bg, nothing)
		wantDescription(t, b, "forced-open", "calls=8 failures=4 rejections=2 openings=2 trips=1 failure_rate=0 in_state_seconds=0")
		b.Reset()
		b.Do(bg, down)
		b.Do(bg, nothing)
		wantDescription(t, b, "closed", "calls=10 failures=5 rejections=2 openings=2 trips=1 failure_rate=0.5 in_state_seconds=0")
	})
}

// The rates are those of the window, from which results go also while nobody calls.
func TestDescribeReadsTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Config{Name: "db", Trip: breaker.Rate(breaker.Window{
			Time: 16 * time.Second, Min: 100, Slow: 0.5, SlowAfter: time.Second,
		})})
		takes := func(d time.Duration, err error) {
			b.Do(bg, func(context.Context) error {
				time.Sleep(d)
				return err
			})
		}
		takes(0, errDown)
		takes(0, nil)
		takes(2*time.Second, nil)
		takes(time.Second, errDown)
		wantDescription(t, b, "closed", "calls=4 failures=2 slow=2 rejections=0 openings=0 trips=0 failure_rate=0.5 slow_rate=0.5 in_state_seconds=3")
		time.Sleep(13 * time.Second) // the part of the first second is over
		wantDescription(t, b, "closed", "calls=4 failures=2 slow=2 rejections=0 openings=0 trips=0 failure_rate=0.5 slow_rate=1 in_state_seconds=16")
		time.Sleep(2 * time.Second)
		wantDescription(t, b, "closed", "calls=4 failures=2 slow=2 rejections=0 openings=0 trips=0 failure_rate=1 slow_rate=1 in_state_seconds=18")
		time.Sleep(time.Hour)
		wantDescription(t, b, "closed", "calls=4 failures=2 slow=2 rejections=0 openings=0 trips=0 failure_rate=0 slow_rate=0 in_state_seconds=3618")
	})
}
