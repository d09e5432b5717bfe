package mettlehttp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/ratelimit"
	"github.com/mettle-go/mettle/retry"
)

// Handler returns a handler that serves requests by next, each as a call through p: a bulkhead or a rate limit that bounds what the server takes on, a
// breaker or a timeout.
//
// A request that p rejects is answered with 429 if a rate limit did so, else with 503, and with Retry-After, in whole seconds rounded up, where the
// rejection knows how long. Answers of next with a status of 500 or more, and no answer before the end of its context, are errors to p; others are nil. If p makes an error
// of a call, as a timeout does, and next has answered nothing, the answer is 503.
//
// The request that next sees has p's context; apart from that it is the one that came in. The http.ResponseWriter that next sees has the methods Flush,
// Hijack and ReadFrom, and Unwrap for http.ResponseController.
//
// A panic of next passes through p to the server, http.ErrAbortHandler too. A handler cannot run twice, since its answer is under way: Handler
// panics if p is a retry or a hedge or a stack with one, and if p is another policy that runs its function again, that run does nothing and fails with an
// error that is mettle.Permanent. It also panics if p or next is nil.
//
// It costs a few allocations a request beside those of p, and one more if p makes a context.
func Handler(p mettle.Policy, next http.Handler) http.Handler {
	if p == nil {
		panic("mettlehttp: Handler: the policy is nil, want a mettle.Policy")
	}
	if next == nil {
		panic("mettlehttp: Handler: the handler is nil, want an http.Handler")
	}
	refuseRepeats(p)
	return handler{p, next}
}

// refuseRepeats panics if p would run a handler twice.
func refuseRepeats(p mettle.Policy) {
	switch p := p.(type) {
	case *mettle.Stack:
		for _, inner := range p.Policies() {
			refuseRepeats(inner)
		}
	case *retry.Policy, *hedge.Policy:
		panic(fmt.Sprintf("mettlehttp: Handler: the policy is or has a %T, want none: a handler cannot run twice", p))
	}
}

// errTwice is the error of a second run.
var errTwice = errors.New("mettlehttp: a policy of Handler ran the handler twice")

type handler struct {
	policy mettle.Policy
	next   http.Handler
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := &served{answerWriter: answerWriter{ResponseWriter: w}, h: h, r: r}
	err := h.policy.Do(r.Context(), s.run)
	if err != nil && !s.begun() {
		refuse(w, err)
	}
}

// A served request is one call of a handler.
type served struct {
	answerWriter
	h   handler
	r   *http.Request
	ran atomic.Bool
}

func (s *served) run(ctx context.Context) error {
	if s.ran.Swap(true) {
		return mettle.Permanent(errTwice)
	}
	r := s.r
	// Most policies hand the context on. Those that are no pointers need not be comparable.
	if reflect.TypeOf(ctx).Kind() != reflect.Pointer || ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	s.h.next.ServeHTTP(&s.answerWriter, r)
	s.r.MultipartForm = r.MultipartForm // whose files the server removes
	switch {
	case s.status >= 500:
		return &StatusError{Code: s.status}
	case !s.begun() && ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return nil
}

// refuse answers a request that was not served.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, ratelimit.ErrLimited) {
		status = http.StatusTooManyRequests
	}
	if rejected, ok := errors.AsType[*mettle.RejectedError](err); ok {
		if after, ok := rejected.RetryAfter(); ok {
			w.Header().Set("Retry-After", seconds(after))
		}
	}
	http.Error(w, http.StatusText(status), status)
}

// seconds returns d in whole seconds, 1 or more: who is told 0 comes at once.
func seconds(d time.Duration) string {
	s := int64(d / time.Second)
	if d%time.Second > 0 && s < math.MaxInt64 {
		s++
	}
	return strconv.FormatInt(max(s, 1), 10)
}
