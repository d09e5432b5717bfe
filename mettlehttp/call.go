package mettlehttp

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/httprule"
	"github.com/mettle-go/mettle/retry"
)

// A call is one RoundTrip: all attempts for one request.
type call struct {
	t      *Transport
	req    *http.Request
	ctx    context.Context
	host   string
	hedged bool
	body   upload

	first httprule.Trace // here, since most calls need no other
	begun atomic.Int32

	mu      sync.Mutex
	round   int // of the retry, from 0
	replays int // by net/http, in all rounds
	answers []answer
	one     [1]answer      // where answers begins
	fresh   *http.Response // a failure, of the retry's attempt at hand
	failed  bool           // that attempt, or a run of it, brought an error instead
	former  *http.Response // a failure of the attempt before
	left    bool
}

// An answer is a response and what became of it.
type answer struct {
	resp *http.Response
	read bool // it needs no connection any more
	gone bool // it cannot be handed to anybody any more
}

// run makes one attempt under the host's policy.
func (c *call) run(ctx context.Context) (*http.Response, error) {
	return mettle.Call(ctx, c.t.hosts.For(c.host), c.attempt)
}

// arrived hears of every response, so that each is closed unless it is handed to the caller: whatever the policies do with it.
func (c *call) arrived(resp *http.Response, failure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = c.one[:0]
	}
	c.answers = append(c.answers, answer{resp: resp})
	if failure {
		c.fresh = resp
	}
}

// broke hears that an attempt brought an error.
func (c *call) broke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
	if !c.hedged {
		c.fresh = nil // of an attempt that some policy within the retry has repeated
	}
}

// goOn hears that there is to be another attempt. The connections of former ones are given up before the wait, not after.
func (c *call) goOn() {
	c.mu.Lock()
	if c.fresh != nil {
		c.former = c.fresh
	} else if c.failed {
		c.former = nil
	}
	c.fresh, c.failed = nil, false
	c.round++
	answers := c.answers
	c.mu.Unlock()
	// Without the lock, since it may take time: all runs of the attempt have ended, and nobody else is at it.
	for i := range answers {
		a := &answers[i]
		if a.read {
			continue
		}
		a.read = true
		a.gone = !readAhead(a.resp)
	}
}

// result returns what RoundTrip does.
func (c *call) result(resp *http.Response, err error) (*http.Response, error) {
	c.mu.Lock()
	if err != nil {
		resp = c.unsuccessful()
	}
	c.left = true
	answers := c.answers
	c.mu.Unlock()
	for _, a := range answers {
		if a.resp != resp {
			a.resp.Body.Close()
		}
	}
	c.body.finish()
	if resp != nil {
		resp.Request = c.req
		return resp, nil
	}
	return nil, c.explain(err)
}

// unsuccessful returns the response that ends a call which failed: that of the last attempt that was made, or nil if it brought none. An attempt that
// an inner policy rejected was not made. The caller holds c.mu.
func (c *call) unsuccessful() *http.Response {
	switch {
	case c.fresh != nil:
		return c.fresh
	case c.failed, c.former == nil, c.ctx.Err() != nil:
		return nil
	}
	for _, a := range c.answers {
		if a.resp == c.former && !a.gone {
			return a.resp
		}
	}
	return nil
}

// leave cleans up after a policy, an observer or the base that panicked or ended the goroutine.
func (c *call) leave() {
	c.mu.Lock()
	left := c.left
	answers := c.answers
	c.mu.Unlock()
	if left {
		return
	}
	for _, a := range answers {
		a.resp.Body.Close()
	}
	c.body.finish()
}

// explain returns the error of a call without an answer.
func (c *call) explain(err error) error {
	ex, ok := errors.AsType[*retry.ExhaustedError](err)
	if !ok || error(ex) != err || len(ex.Attempts) == 0 {
		return bare(err)
	}
	if f, ok := errors.AsType[*failure](ex.Attempts[len(ex.Attempts)-1].Err); ok && f.usedUp {
		ex.Reason = retry.ErrAttempts
	}
	ex.Attempts = history(ex.Attempts)
	if only := ex.Attempts[0].Err; len(ex.Attempts) == 1 &&
		(ex.Reason == retry.ErrPermanent || ex.Reason == retry.ErrAttempts || errors.Is(only, ex.Reason)) {
		return only // there is nothing to tell beside
	}
	return exhausted{ex}
}

// history returns the attempts with those that net/http made by itself.
func history(attempts []retry.Attempt) []retry.Attempt {
	out := make([]retry.Attempt, 0, len(attempts))
	more := 0
	for _, a := range attempts {
		if f, ok := errors.AsType[*failure](a.Err); ok {
			for range f.replays {
				out = append(out, retry.Attempt{N: a.N + more, Err: ErrReplayed, Wait: a.Wait})
				more++
				a.Wait = 0
			}
		}
		a.N += more
		a.Err = bare(a.Err)
		out = append(out, a)
	}
	return out
}
