package mettlehttp_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

func TestBadConfigs(t *testing.T) {
	verdict := func(error) mettle.Verdict { return mettle.Success }
	tests := []struct {
		c    mettlehttp.Config
		want string
	}{
		{mettlehttp.Config{Timeout: -1}, "mettlehttp: Config.Timeout is -1ns, want 0 or more"},
		{mettlehttp.Config{MaxHold: -2}, "mettlehttp: Config.MaxHold is -2ns, want -1 ns or more"},
		{mettlehttp.Config{MaxBuffer: -1}, "mettlehttp: Config.MaxBuffer is -1, want 0 or more"},
		{mettlehttp.Config{Retry: retry.Config{Classify: verdict}}, "mettlehttp: Config.Retry.Classify is set, want nil: set Config.Classify"},
		{mettlehttp.Config{Hedge: hedge.Config{Classify: verdict, Delay: 1}}, "mettlehttp: Config.Hedge.Classify is set, want nil: set Config.Classify"},
		{mettlehttp.Config{Retry: retry.Config{Attempts: -2}}, "mettlehttp: Config.Retry: retry: Config.Attempts is -2, want -1 or more"},
		{mettlehttp.Config{Hedge: hedge.Config{Max: 1}},
			"mettlehttp: Config.Hedge: hedge: Config.Delay and Config.Quantile are 0, want one of them more than 0"},
	}
	for _, tt := range tests {
		if err := tt.c.Validate(); err == nil || err.Error() != tt.want {
			t.Errorf("Validate: %v, want %s", err, tt.want)
		}
		wantPanic(t, tt.want, func() { mettlehttp.NewTransport(nil, tt.c) })
	}
	if err := (mettlehttp.Config{}).Validate(); err != nil {
		t.Error(err)
	}
	tr := mettlehttp.NewTransport(nil, mettlehttp.Config{Host: func(string) mettle.Policy { return nil }, Timeout: time.Second})
	req, _ := http.NewRequest("GET", "http://a.test/", nil)
	wantPanic(t, `mettlehttp: Config.Host returned nil for the host "a.test", want a mettle.Policy`, func() { tr.RoundTrip(req) })
}

func wantPanic(t *testing.T, want any, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic %v, want %v", got, want)
		}
	}()
	f()
}
