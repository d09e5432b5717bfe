package mettlehttp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/internal/httprule"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

// A Transport is an http.RoundTripper that sends requests through policies. It is safe for concurrent use; make one, by NewTransport, for all
// requests.
type Transport struct {
	base  http.RoundTripper
	cfg   Config
	limit int // the most attempts that any rule allows; -1: there is none

	again  mettle.Policy // the retry
	hedged mettle.Policy // the retry, and the hedge within; nil if there is none
	hosts  *keyed.Map[string]

	requests, attempts, replays atomic.Uint64
}

// NewTransport returns a transport that sends its requests by base, which must be safe for concurrent use; nil means http.DefaultTransport. It panics if
// c.Validate has an error.
func NewTransport(base http.RoundTripper, c Config) *Transport {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	if base == nil {
		base = http.DefaultTransport
	}
	hedges := c.hedges()
	c = c.withDefaults()
	t := &Transport{base: base, cfg: c, limit: c.Retry.Attempts}
	for _, r := range c.Retry.Rules {
		if t.limit != -1 && (r.Attempts == -1 || r.Attempts > t.limit) {
			t.limit = r.Attempts
		}
	}
	again := c.Retry
	again.Observer = t.retrying
	t.again = retry.New(again)
	if hedges {
		t.hedged = mettle.Compose(t.again, hedge.New(c.Hedge))
	}
	t.hosts = keyed.New(keyed.Config[string]{Name: c.Name, New: t.policy, Observer: c.Observer})
	return t
}

// policy makes the policy of a host.
func (t *Transport) policy(host string) mettle.Policy {
	p := t.cfg.Host(host)
	if p == nil {
		panic(fmt.Sprintf("mettlehttp: Config.Host returned nil for the host %q, want a mettle.Policy", host))
	}
	hold := newHold(host, &t.cfg)
	if t.cfg.Timeout == 0 {
		return mettle.Compose(hold, p)
	}
	return mettle.Compose(hold, p, timeout.New(timeout.Config{Name: host, After: t.cfg.Timeout, Observer: t.cfg.Observer}))
}

// RoundTrip sends req, again if need be, and returns the answer of the last attempt: whatever its status, as an http.RoundTripper has to. It
// returns an error only if the last attempt brought none. It does not change req, and closes its body.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.requests.Add(1)
	if req.URL == nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, errors.New("mettlehttp: the request's URL is nil, want a URL")
	}
	c := &call{t: t, req: req, ctx: req.Context(), host: hostOf(req)}
	c.body.init(req, t.cfg.MaxBuffer)
	policy := t.again
	// Two runs may read a body at once, which a remembered one is not made for.
	if t.hedged != nil && httprule.Safe(req.Method) && c.body.kept == nil {
		policy, c.hedged = t.hedged, true
	}
	defer c.leave()
	resp, err := mettle.Call(c.ctx, policy, c.run)
	return c.result(resp, err)
}

// retrying hears that a call goes on after a failed attempt, before its wait.
func (t *Transport) retrying(ctx context.Context, e mettle.Event) {
	if f, ok := errors.AsType[*failure](e.Err); ok {
		f.call.goOn()
	}
	if t.cfg.Retry.Observer != nil {
		t.cfg.Retry.Observer(ctx, e)
	}
}

// CloseIdleConnections does so in the base, if that has such a method: http.Client's method of that name asks for it.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Hosts returns the hosts that have a policy, and for each a *mettle.Stack, for pages and metrics: a hold, which tells by its Describe whether the
// host asked to be left alone, what Config.Host made, and the timeout if there is one. The policies are to be looked at, not to be called.
func (t *Transport) Hosts() iter.Seq2[string, mettle.Policy] { return t.hosts.All() }

// Describe tells the transport's name and counters: of requests, of attempts made for them, and of those times that net/http sent one again by
// itself.
func (t *Transport) Describe() mettle.Description {
	return mettle.Description{Kind: "http", Name: t.cfg.Name, Metrics: []mettle.Metric{
		{Name: "requests", Value: float64(t.requests.Load())},
		{Name: "attempts", Value: float64(t.attempts.Load())},
		{Name: "replays", Value: float64(t.replays.Load())},
	}}
}

// hostOf returns what tells the hosts of requests apart.
func hostOf(req *http.Request) string {
	host := req.URL.Host
	switch req.URL.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.ToLower(host)
}
