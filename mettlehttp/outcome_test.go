package mettlehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

var errLine = errors.New("the line is dead")

// scripted is a base whose nth call answers with the nth status, or errLine where that is 0, and whose bodies are tracked.
func scripted(calls *int, statuses ...int) *tracker {
	return &tracker{base: roundTripper(func(*http.Request) (*http.Response, error) {
		*calls++
		if s := statuses[*calls-1]; s > 0 {
			return answer(s), nil
		}
		return nil, errLine
	})}
}

func rejection() error { return mettle.Reject("door", "", errors.New("closed"), nil) }

// What the caller gets is what the last attempt brought that was made, whatever the policies do.
func TestLastAttemptCounts(t *testing.T) {
	twice := func(_ int, fn func() error) error {
		if fn() == nil {
			return nil
		}
		return fn()
	}
	tests := []struct {
		name     string
		method   string
		statuses []int
		policy   func(attempt int, fn func() error) error
		status   int // 0: errLine
		calls    int
	}{
		{"POST, misdirected", "POST", []int{421, 200}, nil, 200, 2},
		{"POST, too early", "POST", []int{425, 200}, nil, 200, 2},
		{"a policy that repeats", "GET", []int{503, 0, 200}, twice, 200, 3},
		{"a policy that repeats, to an error", "GET", []int{503, 0, 503, 0, 503, 0}, twice, 0, 6},
		{"rejected after an answer", "GET", []int{0, 503}, func(n int, fn func() error) error {
			if n == 3 {
				return rejection()
			}
			return fn()
		}, 503, 2},
		{"rejected after an error", "GET", []int{503, 0}, func(n int, fn func() error) error {
			if n == 3 {
				return rejection()
			}
			return fn()
		}, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls, attempt := 0, 0
			bodies := scripted(&calls, tt.statuses...)
			tr := mettlehttp.NewTransport(bodies, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}, Host: func(string) mettle.Policy {
				return mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
					attempt++
					if tt.policy == nil {
						return fn(ctx)
					}
					return tt.policy(attempt, func() error { return fn(ctx) })
				})
			}})
			req, _ := http.NewRequest(tt.method, "http://a.test/", nil)
			resp, err := tr.RoundTrip(req)
			if tt.status == 0 {
				if resp != nil || !errors.Is(err, errLine) || errors.Is(err, mettle.ErrRejected) {
					t.Errorf("%v %v, want the error", resp, err)
				}
			} else if err != nil || resp.StatusCode != tt.status {
				t.Errorf("%v %v, want %d", resp, err, tt.status)
			} else if text, err := io.ReadAll(resp.Body); string(text) != "x" || err != nil {
				t.Errorf("body %q %v", text, err)
			}
			if resp != nil {
				resp.Body.Close()
			}
			if calls != tt.calls || bodies.opened.Load() != bodies.closed.Load() {
				t.Errorf("%d calls, want %d; %d responses, %d closed", calls, tt.calls, bodies.opened.Load(), bodies.closed.Load())
			}
		})
	}
}

// A request that was canceled by its field Cancel, as http.Client.Timeout does, is not sent again.
func TestCancelOfOld(t *testing.T) {
	calls := 0
	tr := mettlehttp.NewTransport(scripted(&calls, 0, 0, 0), mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})
	end := make(chan struct{})
	close(end)
	req, _ := http.NewRequest("GET", "http://a.test/", nil)
	//lint:ignore SA1019 That is what is tested.
	req.Cancel = end
	if _, err := tr.RoundTrip(req); !errors.Is(err, errLine) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// An answer that comes when the policy has given up is closed, and the error is the policy's.
func TestAnswerAfterThePolicysEnd(t *testing.T) {
	why := errors.New("enough")
	bodies := &tracker{base: roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return answer(200), nil
	})}
	tr := mettlehttp.NewTransport(bodies, mettlehttp.Config{Retry: retry.Config{Attempts: 1}, Host: func(string) mettle.Policy {
		return mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(why)
			return fn(ctx)
		})
	}})
	req, _ := http.NewRequest("GET", "http://a.test/", nil)
	if resp, err := tr.RoundTrip(req); resp != nil || !errors.Is(err, why) || bodies.closed.Load() != 1 {
		t.Errorf("%v %v, %d closed", resp, err, bodies.closed.Load())
	}
}

// The context of an attempt ends with the body, also where nobody closes it.
func TestContextEndsWithTheBody(t *testing.T) {
	var inner context.Context
	tr := mettlehttp.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		inner = r.Context()
		return answer(200), nil
	}), mettlehttp.Config{Timeout: 1 << 50})
	req, _ := http.NewRequest("GET", "http://a.test/", nil)
	resp, err := tr.RoundTrip(req)
	if err != nil || inner.Err() != nil {
		t.Fatal(err, inner.Err())
	}
	if io.ReadAll(resp.Body); inner.Err() == nil {
		t.Error("the context goes on after the end of the body")
	}
	resp.Body.Close()
}

// A connection that is had again without anything being sent on it is no replay.
func TestReplaysAreCountedOnce(t *testing.T) {
	tr := mettlehttp.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GotConn(httptrace.GotConnInfo{})
		trace.WroteHeaders()
		trace.GotConn(httptrace.GotConnInfo{})
		trace.GotConn(httptrace.GotConnInfo{})
		trace.WroteHeaders()
		return answer(200), nil
	}), mettlehttp.Config{})
	req, _ := http.NewRequest("GET", "http://a.test/", nil)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if d := tr.Describe(); d.Metrics[2].Value != 1 {
		t.Errorf("%+v, want 1 replay", d.Metrics)
	}
}
