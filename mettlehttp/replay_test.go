package mettlehttp_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
)

// What net/http sends again by itself on a dead connection is an attempt: told of, counted and in the history.
func TestReplays(t *testing.T) {
	tests := []struct {
		name     string
		plan     string // what the server does to each request after the first: . answers, x hangs up, 5 says 503
		attempts int
		status   int
		requests int // after the first
		events   int
	}{
		{"mended by net/http", "x.", 3, 200, 2, 1},
		{"then one more attempt", "x5.", 3, 200, 3, 2},
		{"no attempt beyond the limit", "x555", 3, 503, 3, 2},
		{"nor with a limit of two", "x555", 2, 503, 2, 1},
		{"without a limit", "x55.", -1, 200, 4, 3},
		{"in the second attempt", "5x555", 3, 503, 3, 2},
		{"then an error", "xxx", 3, 0, 3, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n == 1 {
					return
				}
				switch tt.plan[n-2] {
				case 'x':
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						panic(err)
					}
					conn.Close()
				case '5':
					w.WriteHeader(503)
				}
			})
			var rec mettletest.Recorder
			conf := mettlehttp.Config{
				Name: "shop", Retry: retry.Config{Attempts: tt.attempts, Backoff: atOnce, Budget: retry.NewBudget(retry.BudgetConfig{Floor: 10})},
				Observer: rec.Observe,
			}
			c, tr := client(t, conf)
			if _, _, err := get(t, t.Context(), c, s.URL); err != nil {
				t.Fatal(err)
			}
			resp, _, err := get(t, t.Context(), c, s.URL)
			wantRequests(t, s, 1+tt.requests)
			if tt.status > 0 && (err != nil || resp.StatusCode != tt.status) {
				t.Fatalf("%v %v, want %d", resp, err, tt.status)
			}
			events := rec.Events()
			if len(events) != tt.events {
				t.Fatalf("events %+v, want %d", events, tt.events)
			}
			replays := 0.0
			for _, e := range events {
				if e.Kind != mettle.Retried {
					t.Errorf("event %+v", e)
				}
				if e.Policy == "http" {
					replays++
					if e.Err != mettlehttp.ErrReplayed || e.Name != "shop" || e.Wait != 0 {
						t.Errorf("event %+v", e)
					}
				}
			}
			if d := tr.Describe(); replays != 1 || d.Metrics[2].Value != replays || d.Metrics[1].Value != float64(1+tt.requests)-replays || d.Metrics[0].Value != 2 {
				t.Errorf("%v replays, %+v", replays, d)
			}
			if tt.status > 0 {
				return
			}
			ex, ok := errors.AsType[*retry.ExhaustedError](err)
			if !ok || ex.Reason != retry.ErrAttempts || len(ex.Attempts) != 3 {
				t.Fatalf("error %v", err)
			}
			for i, a := range ex.Attempts {
				if a.N != i+1 || (a.Err == mettlehttp.ErrReplayed) != (i == 0) {
					t.Errorf("attempt %+v", a)
				}
			}
		})
	}
}
