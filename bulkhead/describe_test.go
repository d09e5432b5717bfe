package bulkhead_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/bulkhead"
)

func TestDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Name: "db", Limit: 1, Queue: 5, MaxWait: time.Second})
		leave := occupy(t, b, 1)
		for range 2 {
			go b.Do(bg, nothing)
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		leave = occupy(t, b, 1)
		b.Do(bg, nothing)
		d := b.Describe()
		waits := d.Metrics[6:]
		got := ""
		for _, m := range d.Metrics[:6] {
			got += fmt.Sprintf("%s=%v ", m.Name, m.Value)
		}
		if want := "inside=1 waiting=0 admitted=4 waited=2 rejections=1 queue=5 "; got != want || d.Kind != "bulkhead" || d.Name != "db" || d.Limit != 1 {
			t.Errorf("got %+v (%s), want %s", d, got, want)
		}
		if len(waits) != 2 || waits[0].Name != "wait_p50_seconds" || waits[1].Name != "wait_p99_seconds" {
			t.Errorf("the quantiles are %v", waits)
		}
		leave()
	})
}

// Two hundred wait, for 1 ms, 2 ms and so on: some until they are let in, and the last half until they give up.
func TestDescribeTellsHowLongCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1})
		wantWaits := func(p50, p99 float64) {
			t.Helper()
			m := b.Describe().Metrics
			if got := m[6].Value; got < 0.98*p50 || got > 1.02*p50 {
				t.Errorf("half waited up to %vs, want %v", got, p50)
			}
			if got := m[7].Value; got < 0.98*p99 || got > 1.02*p99 {
				t.Errorf("99%% waited up to %vs, want %v", got, p99)
			}
		}
		for range 1000 {
			b.Do(bg, nothing)
		}
		leave := occupy(t, b, 1)
		ended, cancel := context.WithCancel(bg)
		cancel()
		b.Do(ended, nothing)
		wantWaits(0, 0) // neither who walks in nor who is turned away at once has waited
		for ms := range 100 {
			go func() {
				time.Sleep(time.Duration(ms+1) * time.Millisecond)
				leave()
			}()
			permit, err := b.Acquire(bg)
			if err != nil {
				t.Fatal(err)
			}
			leave = func() { permit.Done(nil) }
		}
		wantWaits(0.050, 0.099)
		for ms := range 100 {
			ctx, cancel := context.WithTimeout(bg, time.Duration(ms+101)*time.Millisecond)
			wantRejection(t, b.Do(ctx, nothing), context.DeadlineExceeded)
			cancel()
		}
		wantWaits(0.100, 0.198)
	})
}
