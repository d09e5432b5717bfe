package fetch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// mostlyGood answers 404 to what has "bad" in its path, after a second.
func mostlyGood(r *http.Request) (*http.Response, error) {
	time.Sleep(time.Second)
	if strings.Contains(r.URL.Path, "bad") {
		return answer(r, 404, ""), nil
	}
	return answer(r, 200, "ok"), nil
}

func TestTheNthFailureEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := &collector{t: t}
		var urls []string
		for i := range 100 {
			urls = append(urls, fmt.Sprintf("http://a.test/%d", i), fmt.Sprintf("http://a.test/bad%d", i))
		}
		counts, err := Run(t.Context(), Config{Transport: wire(mostlyGood), Concurrency: 4, MaxFailures: 6}, URLs(urls...), sink)
		if !errors.Is(err, ErrFailures) || counts.Failed < 6 || counts.Failed > 8 || counts.Left() < 180 || len(sink.byID()) != int(counts.Done()) {
			t.Errorf("%v, %+v; want the end with the 6th failure, or the few that ran then", err, counts)
		}
		e, ok := errors.AsType[*FailuresError](err)
		if !ok || e.Failed != 6 || e.Results < 9 || e.Results > int(counts.Done()) || err.Error() != fmt.Sprintf("fetch: too many failures: 6 of %d results", e.Results) {
			t.Errorf("the error is %v, want one that says 6 of about 12", err)
		}
		// A failure too few changes nothing.
		counts, err = Run(t.Context(), Config{Transport: wire(mostlyGood), MaxFailures: 101}, URLs(urls...), &collector{t: t})
		if err != nil || counts.Failed != 100 || counts.OK != 100 {
			t.Errorf("%v, %+v", err, counts)
		}
		// The last one of all counts too.
		counts, err = Run(t.Context(), Config{Transport: wire(mostlyGood), MaxFailures: 100}, URLs(urls...), &collector{t: t})
		if e, ok := errors.AsType[*FailuresError](err); !ok || *e != (FailuresError{100, 200}) || counts.Left() != 0 {
			t.Errorf("%v, %+v", err, counts)
		}
	})
}

func TestTooLargeAShareOfFailuresEndsTheRun(t *testing.T) {
	for _, tt := range []struct {
		name      string
		bad, good int // bad ones come first
		share     float64
		failed    int64
		want      error
	}{
		{"at once when there are 100", 60, 1000, 0.5, 60, ErrFailures},
		{"exactly the share", 50, 1000, 0.5, 50, nil},
		{"a short run at its end", 3, 7, 0.25, 3, ErrFailures},
		{"a short run that is well", 3, 7, 0.3, 3, nil},
		{"none allowed to fail is not what 0 means", 3, 7, 0, 3, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			urls := append(many(tt.bad, "http://a.test/bad%d"), many(tt.good, "http://a.test/%d")...)
			counts, err := Run(t.Context(), Config{Transport: wire(mostlyGood), Concurrency: 10, PerHost: 10, MaxFailureShare: tt.share}, URLs(urls...), &collector{t: t})
			if err != tt.want && !errors.Is(err, tt.want) || counts.Failed != tt.failed {
				t.Errorf("%s: %v, %+v", tt.name, err, counts)
			}
			if tt.good == 1000 && tt.want != nil && counts.Done() > 120 {
				t.Errorf("%s: the run went on to %d results", tt.name, counts.Done())
			}
		})
	}
}

func TestAfterMaxTimeNothingStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		sink := &collector{t: t}
		w := wire(func(r *http.Request) (*http.Response, error) {
			if time.Since(begin) >= 5500*time.Millisecond {
				t.Errorf("a request began at %v", time.Since(begin))
			}
			return mostlyGood(r)
		})
		c := Config{Transport: w, Concurrency: 3, MaxTime: 5500 * time.Millisecond}
		counts, err := Run(t.Context(), c, URLs(many(100, "http://a.test/%d")...), sink)
		if !errors.Is(err, ErrTime) || counts.OK != 18 || len(sink.byID()) != 18 || time.Since(begin) != 6*time.Second {
			t.Errorf("%v, %+v after %v; want the 18 that were begun in time", err, counts, time.Since(begin))
		}
		// What runs may take the grace and no more.
		begin = time.Now()
		c.Transport = wire(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c.Grace = 2 * time.Second
		counts, err = Run(t.Context(), c, URLs(many(100, "http://a.test/%d")...), sink)
		if !errors.Is(err, ErrTime) || counts.Done() != 0 || time.Since(begin) != 7500*time.Millisecond {
			t.Errorf("%v, %+v after %v", err, counts, time.Since(begin))
		}
		// Time enough.
		c.Transport, c.MaxTime = wire(mostlyGood), time.Hour
		if counts, err = Run(t.Context(), c, URLs(many(100, "http://a.test/%d")...), sink); err != nil || counts.OK != 100 {
			t.Errorf("%v, %+v", err, counts)
		}
	})
}

func TestLimitsThatAreNone(t *testing.T) {
	for want, c := range map[string]Config{
		"fetch: Config.MaxFailures is -1, want 0 or more":    {MaxFailures: -1},
		"fetch: Config.MaxTime is -1s, want 0 or more":       {MaxTime: -time.Second},
		"fetch: Config.MaxFailureShare is -0.1, want 0 to 1": {MaxFailureShare: -0.1},
		"fetch: Config.MaxFailureShare is 1.5, want 0 to 1":  {MaxFailureShare: 1.5},
		"fetch: Config.MaxFailureShare is NaN, want 0 to 1":  {MaxFailureShare: math.NaN()},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// A lossy sink takes every record, and cannot write them in the end.
type lossy struct{ collector }

var errLossy = errors.New("no space")

func (*lossy) Flush() error { return errLossy }

// Results are lost in the end of a run that something else has ended: that is not hidden.
func TestAStopDoesNotHideThatResultsAreLost(t *testing.T) {
	gone := errors.New("caller has gone")
	for _, tt := range []struct {
		why  string
		c    Config
		want error
		url  string
	}{
		{"stop", Config{}, ErrStopped, "http://a.test/ok"},
		{"time", Config{MaxTime: time.Millisecond}, ErrTime, "http://a.test/ok"},
		{"failures", Config{MaxFailures: 1}, ErrFailures, "http://a.test/status/404"},
		{"context", Config{}, gone, "http://a.test/ok"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			stop := make(chan struct{})
			tt.c.Transport, tt.c.Stop = inMemory(t, 1).transport, stop
			// The record comes, and is kept back, within the time that a sink has before it is flushed.
			time.AfterFunc(time.Millisecond, func() {
				switch tt.why {
				case "stop":
					close(stop)
				case "context":
					cancel(gone)
				}
			})
			src := func(ctx context.Context) iter.Seq2[Item, error] {
				return func(yield func(Item, error) bool) {
					yield(Item{URL: tt.url}, nil)
					<-ctx.Done()
				}
			}
			counts, err := Run(ctx, tt.c, src, &lossy{collector{t: t}})
			cancel(nil)
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrWrite) || !errors.Is(err, errLossy) || counts.Done() != 1 {
				t.Errorf("%s: %v, %+v; want ErrWrite besides %v", tt.why, err, counts, tt.want)
			}
		})
	}
}
