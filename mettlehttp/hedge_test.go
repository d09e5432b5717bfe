package mettlehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
)

// A tracker notes how the bodies of a base's responses end.
type tracker struct {
	base   http.RoundTripper
	opened atomic.Int32
	closed atomic.Int32
}

func (b *tracker) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(r)
	if err == nil {
		b.opened.Add(1)
		resp.Body = &trackedBody{resp.Body, sync.OnceFunc(func() { b.closed.Add(1) })}
	}
	return resp, err
}

type trackedBody struct {
	io.ReadCloser
	note func()
}

func (b *trackedBody) Close() error { b.note(); return b.ReadCloser.Close() }

// step is what a server does with one request: it waits, and then answers.
type step struct {
	wait   time.Duration
	status int // 0: it hangs up
}

func TestHedges(t *testing.T) {
	const slow = time.Minute
	tests := []struct {
		name     string
		method   string
		steps    []step
		attempts int
		status   int // 0: an error
		winner   int // whose answer it is
		took     time.Duration
		requests int32
	}{
		{"quick enough", "GET", []step{{0, 200}}, 1, 200, 1, 0, 1},
		{"the second is quicker", "GET", []step{{slow, 200}, {0, 200}}, 1, 200, 2, 2 * time.Second, 2},
		{"the first is quicker after all", "GET", []step{{3 * time.Second, 200}, {slow, 200}}, 1, 200, 1, 3 * time.Second, 2},
		{"a failure does not win", "GET", []step{{5 * time.Second, 200}, {0, 503}}, 1, 200, 1, 5 * time.Second, 2},
		{"an error does not win", "GET", []step{{5 * time.Second, 200}, {0, 0}}, 1, 200, 1, 5 * time.Second, 2},
		{"the failure that ends last", "GET", []step{{3 * time.Second, 500}, {5 * time.Second, 502}}, 1, 502, 2, 7 * time.Second, 2},
		{"a failure and an error", "GET", []step{{3 * time.Second, 500}, {5 * time.Second, 0}}, 1, 500, 1, 7 * time.Second, 2},
		{"an error and an error", "GET", []step{{3 * time.Second, 0}, {5 * time.Second, 0}}, 1, 0, 0, 7 * time.Second, 2},
		{"both fail, and once more", "GET", []step{{3 * time.Second, 500}, {0, 500}, {0, 200}}, 2, 200, 3, 3 * time.Second, 3},
		{"HEAD", "HEAD", []step{{slow, 200}, {0, 200}}, 1, 200, 2, 2 * time.Second, 2},
		{"not PUT, which is not safe", "PUT", []step{{slow, 200}, {0, 200}}, 1, 200, 1, slow, 1},
		{"not POST", "POST", []step{{slow, 200}, {0, 200}}, 1, 200, 1, slow, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				i := n.Add(1)
				s := tt.steps[i-1]
				select {
				case <-time.After(s.wait):
				case <-r.Context().Done():
					return
				}
				if s.status == 0 {
					hangUp(w)
					return
				}
				w.WriteHeader(s.status)
				http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Second) // in inMemory's bubble: the body comes long after the call
				fmt.Fprint(w, i)
			})
			inMemory(t, h, func(t *testing.T, base *http.Transport) {
				bodies := &tracker{base: base}
				var rec mettletest.Recorder
				c := &http.Client{Transport: mettlehttp.NewTransport(bodies, mettlehttp.Config{
					Host: none, Hedge: hedge.Config{Delay: 2 * time.Second}, Retry: retry.Config{Attempts: tt.attempts, Backoff: atOnce}, Observer: rec.Observe,
				})}
				req, _ := http.NewRequest(tt.method, "http://a.test/", nil)
				begin := time.Now()
				resp, err := c.Do(req)
				took := since(begin)
				if tt.attempts == 1 && took != tt.took || took < tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if got := n.Load(); got != tt.requests {
					t.Errorf("the server saw %d requests, want %d", got, tt.requests)
				}
				if tt.status == 0 {
					if failed, ok := errors.AsType[*hedge.Error](err); !ok || len(failed.Runs) != 2 || !errors.Is(err, io.EOF) {
						t.Errorf("%v %v, want the errors of both", resp, err)
					}
				} else if err != nil || resp.StatusCode != tt.status {
					t.Errorf("%v %v, want %d", resp, err, tt.status)
				} else {
					body, err := io.ReadAll(resp.Body)
					if want := fmt.Sprint(tt.winner); err != nil || string(body) != want && tt.method != "HEAD" {
						t.Errorf("body %q %v, want %q", body, err, want)
					}
					resp.Body.Close()
				}
				if bodies.opened.Load() != bodies.closed.Load() {
					t.Errorf("%d responses, %d closed", bodies.opened.Load(), bodies.closed.Load())
				}
				hedged := 0
				for _, e := range rec.Events() {
					if e.Policy == "hedge" {
						hedged++
					}
				}
				if hedged != int(tt.requests)-tt.attempts {
					t.Errorf("%d hedges told of", hedged)
				}
			})
		})
	}
}

// A loser that has already brought its headers is closed, and its request ends.
func TestLoserIsClosed(t *testing.T) {
	var n, gone atomic.Int32
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			<-r.Context().Done()
			gone.Add(1)
			return
		}
		io.WriteString(w, "quick")
	})
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		late := make(chan struct{})
		bodies := &tracker{base: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := base.RoundTrip(r)
			if err != nil {
				// A base that has its answer in the same moment in which it is canceled.
				<-late
				return answer(200), nil
			}
			time.AfterFunc(time.Second, func() { close(late) })
			return resp, nil
		})}
		c := &http.Client{Transport: mettlehttp.NewTransport(bodies, mettlehttp.Config{Hedge: hedge.Config{Delay: 2 * time.Second}})}
		if _, body, err := get(t, t.Context(), c, "http://a.test/"); err != nil || body != "quick" {
			t.Errorf("%q %v", body, err)
		}
		if o, cl := bodies.opened.Load(), bodies.closed.Load(); o != 2 || cl != 2 {
			t.Errorf("%d responses, %d closed", o, cl)
		}
		time.Sleep(time.Second)
		if gone.Load() != 1 {
			t.Error("the loser's request goes on")
		}
	})
}

// A policy of somebody else's that drops answers leaks none.
func TestDroppedAnswersAreClosed(t *testing.T) {
	for _, outcome := range []string{"again", "error", "panic"} {
		bodies := &tracker{base: roundTripper(func(*http.Request) (*http.Response, error) { return answer(200), nil })}
		broken := errors.New("broken")
		tr := mettlehttp.NewTransport(bodies, mettlehttp.Config{Host: func(string) mettle.Policy {
			return mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
				if err := fn(ctx); err != nil {
					t.Error(err)
				}
				switch outcome {
				case "again":
					return fn(ctx)
				case "error":
					return broken
				}
				panic(broken)
			})
		}, Retry: retry.Config{Attempts: 1}})
		body := count("x")
		req, _ := http.NewRequest("GET", "http://a.test/", body)
		func() {
			defer func() {
				if r := recover(); r != nil && r != broken {
					t.Error(r)
				}
			}()
			resp, err := tr.RoundTrip(req)
			if outcome == "again" {
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(resp.Body); string(text) != "x" || err != nil {
					t.Errorf("%q %v", text, err)
				}
				resp.Body.Close()
			} else if resp != nil || !errors.Is(err, broken) {
				t.Errorf("%v %v", resp, err)
			}
		}()
		if o, c := bodies.opened.Load(), bodies.closed.Load(); o != c || o == 0 {
			t.Errorf("%s: %d responses, %d closed", outcome, o, c)
		}
	}
}

// An answer whose body does not come is given up before the wait, and its connection with it.
func TestStalledBodyOfAFailure(t *testing.T) {
	var n atomic.Int32
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 1 {
			return
		}
		w.WriteHeader(503)
		io.WriteString(w, strings.Repeat("x", 100))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})}
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if resp, _, err := get(t, ctx, c, "http://a.test/"); err != nil || resp.StatusCode != 200 || time.Since(begin) != 250*time.Millisecond {
			t.Errorf("%v %v after %v", resp, err, time.Since(begin))
		}
	})
}
