package mettlehttp

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/httprule"
	"github.com/mettle-go/mettle/internal/retryafter"
)

// attempt sends the request once, under ctx, and returns an error also for an answer that is a failure.
func (c *call) attempt(ctx context.Context) (*http.Response, error) {
	body, err := c.body.open()
	if err != nil {
		return nil, mettle.Permanent(&failure{call: c, err: err, verdict: mettle.Ignore})
	}
	c.t.attempts.Add(1)
	a := &c.first
	if c.begun.Add(1) > 1 {
		a = new(httprule.Trace)
	}
	a.Init(!httprule.Repeatable(c.req.Method, c.req.Header)) // else nobody asks whether it was sent
	ctx, life := c.live(ctx)
	r := c.req.WithContext(httptrace.WithClientTrace(ctx, &a.Client))
	r.Body = body
	resp, err := c.t.base.RoundTrip(r)
	replays := a.Replays()
	if err == nil && resp == nil {
		err = fmt.Errorf("mettlehttp: the base %T returned neither a response nor an error", c.t.base)
	}
	if err == nil {
		err = life.outlive(resp)
	}
	if err != nil {
		life.end()
		resp = nil
	}
	sent := c.replayed(ctx, replays)
	f := c.judge(a, resp, err, sent)
	if resp != nil {
		c.arrived(resp, f != nil)
	} else {
		c.broke()
	}
	if f != nil {
		return nil, f
	}
	return resp, nil
}

// replayed tells of the n times that net/http sent the request again in an attempt that has ended. It returns how many attempts were made so far, these
// included, or 0 if there were none of that sort.
func (c *call) replayed(ctx context.Context, n int) int {
	c.mu.Lock()
	c.replays += n
	sent := c.round + 1 + c.replays
	some := c.replays > 0
	c.mu.Unlock()
	if n > 0 {
		c.t.replays.Add(uint64(n))
	}
	if c.t.cfg.Observer != nil {
		for i := range n {
			c.t.cfg.Observer(ctx, mettle.Event{
				Kind: mettle.Retried, Policy: "http", Name: c.t.cfg.Name, Err: ErrReplayed, Attempt: sent - n + i, Of: max(0, c.t.limit),
			})
		}
	}
	if !some {
		return 0
	}
	return sent
}

// judge returns nil for a response that is an answer, and otherwise the error by which the policies know what to do. It gets what replayed returned.
func (c *call) judge(a *httprule.Trace, resp *http.Response, err error, sent int) error {
	verdict := c.t.cfg.Classify(resp, err)
	if err == nil && verdict != mettle.Failure {
		return nil
	}
	f := &failure{call: c, err: err, verdict: verdict, replays: a.Replays()}
	var again bool
	switch {
	case err == nil:
		s := &StatusError{Code: resp.StatusCode}
		s.after, s.hinted = retryafter.Parse(resp.Header, time.Now())
		f.err = s
		if httprule.Refused(s.Code) {
			f.verdict = mettle.Success
		} else if holding(s, c.t.cfg.Retry.MaxHint) {
			f.verdict = mettle.Ignore
		}
		again = httprule.Refused(s.Code) || httprule.Repeatable(c.req.Method, c.req.Header)
	case c.body.broken():
		f.verdict = mettle.Ignore
	default:
		again = verdict == mettle.Failure && !hopeless(err) && (httprule.Repeatable(c.req.Method, c.req.Header) || a.Unsent() || httprule.Unprocessed(err))
	}
	if again && c.body.lost() {
		again = false
		if err != nil {
			f.err = fmt.Errorf("%w: more than %d bytes of it were sent when this happened: %w", ErrBody, c.t.cfg.MaxBuffer, err)
		}
	}
	if again && c.t.limit > 0 && sent >= c.t.limit {
		again, f.usedUp = false, true
	}
	if !again || canceled(c.req) {
		return mettle.Permanent(f)
	}
	return f
}

// canceled reports whether the request was canceled by the old way, its field Cancel, which http.Client.Timeout still uses.
func canceled(req *http.Request) bool {
	//lint:ignore SA1019 http.Client sets it where its own Timeout ends the request.
	end := req.Cancel
	select {
	case <-end:
		return true
	default:
		return false
	}
}
