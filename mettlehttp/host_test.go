package mettlehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/mettletest"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// By default each host has a breaker: the one that is down is left alone, the others are not.
func TestBreakerOfTheHost(t *testing.T) {
	var down atomic.Bool
	var asked atomic.Int32
	down.Store(true)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "a.test" && down.Load() {
			asked.Add(1)
			w.WriteHeader(500)
			io.WriteString(w, "down")
		}
	})
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{Backoff: atOnce}})}
		for range 20 {
			resp, body, err := get(t, t.Context(), c, "http://a.test/")
			switch {
			case err == nil && (resp.StatusCode != 500 || body != "down"):
				t.Fatalf("%v %q", resp, body)
			case err != nil && (!errors.Is(err, breaker.ErrOpen) || !errors.Is(err, mettle.ErrRejected)):
				t.Fatal(err)
			}
		}
		if n := asked.Load(); n != 8 {
			t.Errorf("the host that is down was asked %d times, want 8", n)
		}
		if resp, _, err := get(t, t.Context(), c, "http://b.test/"); err != nil || resp.StatusCode != 200 {
			t.Errorf("the other host: %v %v", resp, err)
		}
		down.Store(false)
		time.Sleep(6 * time.Second)
		if resp, _, err := get(t, t.Context(), c, "http://a.test/"); err != nil || resp.StatusCode != 200 {
			t.Errorf("back again: %v %v", resp, err)
		}
	})
}

// The attempt that an open breaker rejects was not made: the caller gets the answer of the one before.
func TestAnswerBeforeARejection(t *testing.T) {
	for _, size := range []int{0, 4, 64 << 10, 64<<10 + 1} {
		text := strings.Repeat("x", size)
		s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, text)
		})
		c, _ := client(t, mettlehttp.Config{
			Retry: retry.Config{Backoff: atOnce},
			Host: func(string) mettle.Policy {
				return breaker.New(breaker.Config{Trip: breaker.Consecutive(1), Classify: mettlehttp.Verdict})
			},
		})
		resp, body, err := get(t, t.Context(), c, s.URL)
		wantRequests(t, s, 1)
		if size > 64<<10 {
			// More than is kept of an answer that the retry went on from.
			if ex, ok := errors.AsType[*retry.ExhaustedError](err); !ok || ex.Reason != retry.ErrTurnedAway || errors.Is(err, mettle.ErrRejected) {
				t.Errorf("error %v", err)
			}
			continue
		}
		if err != nil || resp.StatusCode != 500 || body != text {
			t.Errorf("%v, %d bytes, %v; want the answer, %d bytes", resp, len(body), err, size)
		}
	}
}

// 4xx, 501, and what concerns a single request, speak for the host.
func TestVerdicts(t *testing.T) {
	want := map[int]mettle.Verdict{
		200: mettle.Success, 404: mettle.Success, 501: mettle.Success, 421: mettle.Success, 425: mettle.Success,
		408: mettle.Failure, 429: mettle.Failure, 500: mettle.Failure, 503: mettle.Failure, 530: mettle.Failure,
	}
	for status, want := range want {
		var got []mettle.Verdict
		c, _ := client(t, mettlehttp.Config{Retry: retry.Config{Attempts: 1}, Host: func(string) mettle.Policy {
			return mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
				err := fn(ctx)
				got = append(got, mettle.Judge(ctx, err, mettlehttp.Verdict))
				return err
			})
		}})
		s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if _, _, err := get(t, t.Context(), c, s.URL); err != nil || !slices.Equal(got, []mettle.Verdict{want}) {
			t.Errorf("%d: verdicts %v, want %v", status, got, want)
		}
	}
	if v := mettlehttp.Verdict(io.EOF); v != mettle.Failure {
		t.Errorf("verdict of an error from elsewhere: %v", v)
	}
}

func TestHostsByName(t *testing.T) {
	var hosts []string
	c, tr := client(t, mettlehttp.Config{Host: func(host string) mettle.Policy {
		hosts = append(hosts, host)
		return mettle.PolicyFunc(func(ctxt, func(ctxt) error) error { return mettle.Reject("door", "", nil, nil) })
	}})
	for _, url := range []string{
		"http://a.test/", "http://A.test:80/x", "https://a.test:443", "http://a.test:8080", "http://a.test:443", "http://[::1]:80/", "http://b.test",
	} {
		get(t, t.Context(), c, url)
	}
	if want := []string{"a.test", "a.test:8080", "a.test:443", "[::1]", "b.test"}; !slices.Equal(hosts, want) {
		t.Errorf("policies for %q, want %q", hosts, want)
	}
	n := 0
	for range tr.Hosts() {
		n++
	}
	if n != 5 {
		t.Errorf("%d hosts, want 5", n)
	}
}

func TestTimeoutUntilTheHeaders(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			select {
			case <-r.Context().Done():
			case <-time.After(time.Hour):
			}
			return
		}
		w.WriteHeader(200)
		http.NewResponseController(w).Flush()
		time.Sleep(30 * time.Second) // in inMemory's bubble
		io.WriteString(w, "slow but well")
	})
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		var rec mettletest.Recorder
		c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{
			Timeout: 5 * time.Second, Retry: retry.Config{Backoff: atOnce}, Observer: rec.Observe,
		})}
		if _, body, err := get(t, t.Context(), c, "http://a.test/slow-body"); err != nil || body != "slow but well" {
			t.Fatalf("%q %v", body, err)
		}
		begin := time.Now()
		_, _, err := get(t, t.Context(), c, "http://a.test/hangs")
		var late *timeout.Error
		if !errors.As(err, &late) || late.Name != "a.test" || !errors.Is(err, context.DeadlineExceeded) || since(begin) != 15*time.Second {
			t.Errorf("error %v after %v, want three timeouts", err, since(begin))
		}
		if net, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err); !ok || !net.Timeout() {
			t.Errorf("%v is no timeout", err)
		}
		if strings.Count(err.Error(), "time was up") != 1 {
			t.Errorf("says it more than once: %v", err)
		}
		want := []mettle.Kind{mettle.TimedOut, mettle.Retried, mettle.TimedOut, mettle.Retried, mettle.TimedOut}
		if got := rec.Kinds(); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		begin = time.Now()
		if resp, err := c.Post("http://a.test/hangs", "", nil); !errors.As(err, &late) || since(begin) != 5*time.Second {
			t.Errorf("POST: %v %v after %v, want one timeout", resp, err, since(begin))
		}
	})
}

// Whatever a policy does with its context when its Do returns: the body can be read until it is closed, and then the request's context is let go.
func TestBodyOutlivesThePolicysContext(t *testing.T) {
	var gone atomic.Int32
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			if _, err := io.WriteString(w, "tick "); err != nil {
				break
			}
			http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Second):
			case <-r.Context().Done():
				gone.Add(1)
				return
			}
		}
	})
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		var inner context.Context
		tr := mettlehttp.NewTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			inner = r.Context()
			return base.RoundTrip(r)
		}), mettlehttp.Config{Host: func(string) mettle.Policy {
			return mettle.PolicyFunc(func(ctx ctxt, fn func(ctxt) error) error {
				ctx, cancel := context.WithTimeout(context.WithValue(ctx, key{}, "seen"), 3*time.Second)
				defer cancel()
				return fn(ctx)
			})
		}})
		c := &http.Client{Transport: tr}
		_, body, err := get(t, t.Context(), c, "http://a.test/")
		if err != nil || strings.Count(body, "tick") != 10 {
			t.Errorf("%q %v", body, err)
		}
		if inner.Err() == nil {
			t.Error("the context goes on after the end of the body")
		}
		if inner.Value(key{}) != "seen" {
			t.Error("the policy's values do not reach the request")
		}
		// The request's own end ends the body, with its own cause.
		mine := errors.New("mine")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(4*time.Second, func() { cancel(mine) })
		begin := time.Now()
		_, _, err = get(t, ctx, c, "http://a.test/")
		if !errors.Is(err, mine) && !errors.Is(err, context.Canceled) || since(begin) != 4*time.Second {
			t.Errorf("error %v after %v", err, since(begin))
		}
		if got := context.Cause(inner); got != mine {
			t.Errorf("cause %v, want the caller's", got)
		}
		// And so does Close.
		req, _ := http.NewRequest("GET", "http://a.test/", nil)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if inner.Err() == nil {
			t.Error("the context goes on after Close")
		}
		time.Sleep(5 * time.Second)
		if n := gone.Load(); n != 2 {
			t.Errorf("the server noticed %d clients who left, want 2", n)
		}
	})
}

type key struct{}

// An upgraded connection can be written to, also under a policy with a context of its own.
func TestUpgrade(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		io.Copy(conn, rw)
	})
	for _, limit := range []time.Duration{0, 5 * time.Second} {
		inMemory(t, h, func(t *testing.T, base *http.Transport) {
			c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{Timeout: limit})}
			req, _ := http.NewRequest("GET", "http://a.test/", nil)
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Upgrade", "echo")
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			conn, ok := resp.Body.(io.ReadWriteCloser)
			if !ok {
				t.Fatalf("the body is a %T", resp.Body)
			}
			time.Sleep(10 * time.Second)
			io.WriteString(conn, "ping")
			var echo [4]byte
			if _, err := io.ReadFull(conn, echo[:]); err != nil || string(echo[:]) != "ping" {
				t.Errorf("echo %q %v", echo, err)
			}
			conn.Close()
		})
	}
}

// A caller who leaves while the retry waits gets its own error, not an answer of before.
func TestCallerLeaves(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	inMemory(t, h, func(t *testing.T, base *http.Transport) {
		c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{Retry: retry.Config{Backoff: retry.Constant(time.Minute)}})}
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		time.AfterFunc(7*time.Second, cancel)
		_, _, err := get(t, ctx, c, "http://a.test/")
		if !errors.Is(err, context.Canceled) || since(begin) != 7*time.Second {
			t.Errorf("error %v after %v", err, since(begin))
		}
		// A wait that would pass the deadline is not begun: the answer comes at once.
		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begin = time.Now()
		if resp, _, err := get(t, ctx, c, "http://a.test/"); err != nil || resp.StatusCode != 503 || since(begin) != 0 {
			t.Errorf("%v %v after %v, want 503 at once", resp, err, since(begin))
		}
		c.Timeout = 90 * time.Second
		begin = time.Now()
		resp, _, err := get(t, t.Context(), c, "http://a.test/")
		if err != nil || resp.StatusCode != 503 || since(begin) != 60*time.Second {
			t.Errorf("under http.Client.Timeout: %v %v after %v, want 503 after one wait", resp, err, since(begin))
		}
	})
}
