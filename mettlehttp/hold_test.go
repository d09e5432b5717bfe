package mettlehttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
)

// pause is a server whose answer to the first request is a status with a Retry-After, and 200 to the others. It notes when they came.
type pause struct {
	status int
	header http.Header

	mu    sync.Mutex
	times []time.Duration
	begin time.Time
}

func (p *pause) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	p.times = append(p.times, time.Since(p.begin))
	first := len(p.times) == 1
	p.mu.Unlock()
	if first {
		for k, v := range p.header {
			w.Header()[k] = v
		}
		w.WriteHeader(p.status)
		fmt.Fprint(w, "later")
	}
}

// One request is asked to wait: the others to that host wait too, those to other hosts do not.
func TestHoldIsForTheWholeHost(t *testing.T) {
	date := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC) // of a server whose clock is elsewhere
	tests := []struct {
		name   string
		status int
		header http.Header
		held   bool
	}{
		{"429 with seconds", 429, http.Header{"Retry-After": {"20"}}, true},
		{"503 with a date", 503, http.Header{
			"Retry-After": {date.Add(20 * time.Second).Format(http.TimeFormat)}, "Date": {date.Format(http.TimeFormat)},
		}, true},
		{"500 with seconds", 500, http.Header{"Retry-After": {"20"}}, false},
		{"503 without", 503, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &pause{status: tt.status, header: tt.header}
			inMemory(t, p, func(t *testing.T, base *http.Transport) {
				p.begin = time.Now()
				c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{})}
				var wg sync.WaitGroup
				wg.Go(func() { get(t, t.Context(), c, "http://a.test/first") })
				time.Sleep(time.Second)
				for range 3 {
					wg.Go(func() {
						if resp, _, err := get(t, t.Context(), c, "http://A.test:80/other"); err != nil || resp.StatusCode != 200 {
							t.Errorf("%v %v, want 200", resp, err)
						}
					})
				}
				if _, _, err := get(t, t.Context(), c, "http://b.test/"); err != nil || since(p.begin) > 1*time.Second {
					t.Errorf("another host: %v after %v", err, since(p.begin))
				}
				wg.Wait()
				early := 0
				for _, at := range p.times[1:] {
					if at < 20*time.Second {
						early++
					}
					if at > 23*time.Second {
						t.Errorf("a request came only after %v", at)
					}
				}
				want := 1 // that to the other host
				if !tt.held {
					want = 4
					if tt.header == nil {
						want = 5 // the retry as well
					}
				}
				if early != want || len(p.times) != 6 {
					t.Errorf("requests after %v, want %d of them at once", p.times, want)
				}
			})
		})
	}
}

// Who cannot wait is rejected at once and told how long it lasts.
func TestHoldRejectsWhoCannotWait(t *testing.T) {
	for _, why := range []string{"deadline", "MaxHold", "never"} {
		t.Run(why, func(t *testing.T) {
			p := &pause{status: 429, header: http.Header{"Retry-After": {"60"}}}
			inMemory(t, p, func(t *testing.T, base *http.Transport) {
				var rec mettletest.Recorder
				conf := mettlehttp.Config{Observer: rec.Observe}
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				switch why {
				case "deadline":
					ctx, cancel = context.WithTimeout(ctx, 49*time.Second)
				case "MaxHold":
					conf.MaxHold = 49 * time.Second
				case "never":
					conf.MaxHold = -1
				}
				defer cancel()
				tr := mettlehttp.NewTransport(base, conf)
				c := &http.Client{Transport: tr}
				first, leave := context.WithTimeout(t.Context(), 30*time.Second)
				defer leave()
				resp, body, err := get(t, first, c, "http://a.test/") // its deadline is before the end of the pause
				if err != nil || resp.StatusCode != 429 || body != "later" {
					t.Fatalf("%v %q %v, want the answer", resp, body, err)
				}
				time.Sleep(10 * time.Second)
				begin := time.Now()
				_, _, err = get(t, ctx, c, "http://a.test/")
				rejected, ok := errors.AsType[*mettle.RejectedError](err)
				if !ok || !errors.Is(err, mettle.ErrRejected) || !errors.Is(err, mettlehttp.ErrHeld) || since(begin) != 0 {
					t.Fatalf("error %v after %v, want ErrHeld at once", err, since(begin))
				}
				if d, ok := rejected.RetryAfter(); !ok || d < 49*time.Second || d > 50*time.Second {
					t.Errorf("RetryAfter %v %v, want the rest", d, ok)
				}
				if e := rec.Events(); len(e) != 1 || e[0].Kind != mettle.Rejected || e[0].Policy != "hold" || e[0].Name != "a.test" || e[0].Wait == 0 {
					t.Errorf("events %+v", e)
				}
				for _, p := range tr.Hosts() {
					if d := p.(*mettle.Stack).Policies()[0].(mettle.Describer).Describe(); d.State != "held" || d.Metrics[0].Value < 49 {
						t.Errorf("%+v", d)
					}
				}
				time.Sleep(51 * time.Second)
				if _, ok := rejected.RetryAfter(); ok {
					t.Error("the pause is over, and RetryAfter says otherwise")
				}
				if resp, _, err := get(t, t.Context(), c, "http://a.test/"); err != nil || resp.StatusCode != 200 {
					t.Errorf("after the pause: %v %v", resp, err)
				}
				if len(p.times) != 2 {
					t.Errorf("requests after %v", p.times)
				}
			})
		})
	}
}

// A pause that is longer than any that is asked of a request holds nobody: the answer is returned as it is.
func TestHintTooLong(t *testing.T) {
	for _, after := range []string{"301", "99999999999999999999"} {
		p := &pause{status: 503, header: http.Header{"Retry-After": {after}}}
		inMemory(t, p, func(t *testing.T, base *http.Transport) {
			begin := time.Now()
			c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{})}
			resp, body, err := get(t, t.Context(), c, "http://a.test/")
			if err != nil || resp.StatusCode != 503 || body != "later" {
				t.Fatalf("%v %q %v, want the answer", resp, body, err)
			}
			if resp, _, err = get(t, t.Context(), c, "http://a.test/"); err != nil || resp.StatusCode != 200 || since(begin) != 0 {
				t.Errorf("the next: %v %v after %v", resp, err, since(begin))
			}
		})
	}
}

// A caller who leaves while the host is held learns so at once, and of its own cause.
func TestHoldHeedsTheCaller(t *testing.T) {
	p := &pause{status: 429, header: http.Header{"Retry-After": {"60"}}}
	inMemory(t, p, func(t *testing.T, base *http.Transport) {
		c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{Attempts: 1}})}
		get(t, t.Context(), c, "http://a.test/")
		bored := errors.New("bored")
		ctx, cancel := context.WithCancelCause(t.Context())
		begin := time.Now()
		time.AfterFunc(7*time.Second, func() { cancel(bored) })
		_, _, err := get(t, ctx, c, "http://a.test/")
		if !errors.Is(err, context.Canceled) || !errors.Is(err, bored) || !errors.Is(err, mettle.ErrRejected) || since(begin) != 7*time.Second {
			t.Errorf("error %v after %v", err, since(begin))
		}
	})
}

// A pause that is asked for says all there is to say: it does not open the breaker too.
func TestHoldDoesNotTripTheBreaker(t *testing.T) {
	var busy atomic.Bool
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if busy.Load() {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		}
	})
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		busy.Store(true)
		tr := mettlehttp.NewTransport(base, mettlehttp.Config{Host: func(host string) mettle.Policy {
			return breaker.New(breaker.Config{Trip: breaker.Consecutive(2), Classify: mettlehttp.Verdict})
		}, Retry: retry.Config{Attempts: 1}})
		c := &http.Client{Transport: tr}
		for range 20 {
			if resp, _, err := get(t, t.Context(), c, "http://a.test/"); err != nil || resp.StatusCode != 429 {
				t.Fatalf("%v %v", resp, err)
			}
		}
		busy.Store(false)
		if resp, _, err := get(t, t.Context(), c, "http://a.test/"); err != nil || resp.StatusCode != 200 {
			t.Errorf("%v %v", resp, err)
		}
	})
}
