package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/httprule"
	"github.com/mettle-go/mettle/internal/retryafter"
	"github.com/mettle-go/mettle/timeout"
)

const (
	maxRedirects = 10
	// drainAtMost is how much of a body that nobody wants is read so that its connection can serve again.
	drainAtMost = 256 << 10
)

// newTransport returns the transport that Config.Transport describes.
func newTransport(c Config) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: min(c.Timeout, 10*time.Second)}).DialContext,
		TLSHandshakeTimeout: min(c.Timeout, 10*time.Second),
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        2 * c.Concurrency,
		MaxIdleConnsPerHost: c.PerHost,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true, // a decompressed body cannot be checked against its length
	}
}

// A leg is one request of an attempt, together with the redirects within its host: an attempt has several where
// redirects lead to other hosts, each of which has limits of its own.
type leg struct {
	task   *task
	host   *host
	place  int           // of the task's route, if it has one
	req    *http.Request // what to send first
	hops   int           // redirects followed in this attempt, at other hosts too
	race   *race         // nil: it is not hedged
	extra  bool          // it is the second of the race
	plain  bool          // there is nothing to ask the rest of
	ticket ticket
	begun  uint64 // how many requests to the host had begun, this one included
	probe  bool   // the network is down as far as one knows
	trial  bool   // the host is
	spaced bool   // requests to the host are spaced, so that redirects must not follow at once

	followed bool // a redirect within the host: the item's own request has been answered
	unsent   bool // the host was put on hold before the request went out: nothing happened
	started  time.Time
	began    clock.Instant
	ended    clock.Instant
	status   int
	asked    bool   // for the rest of a body, at the last hop
	bytes    int64  // received
	size     int64  // of the body, if whole
	sum      string // of the body, if whole
	path     string // of the file, if the body has been saved
	whole    bool
	complete bool
	progress bool          // the failed attempt uses up none: it brought the body forward by much, or found out how not to ask for it
	hint     time.Duration // what Retry-After asks for; 0: nothing
	finalURL string
	moved    *http.Request // the redirect to another host, if that is how the leg ended
	err      error
	doubtful bool   // the failure may prove the network's
	streak   uint64 // if so: in which it came
	saved    bool   // the body is in its file, or fatal or err says why not
	fatal    error  // the body cannot be saved, for which the item can do nothing

	trace   httprule.Trace // of the first request
	unseen  bool           // no server can have seen the request
	replays int            // times that net/http sent it again on its own
}

// exchange makes the request and reads the body. It leaves all that there is to know in l.
func (f *run) exchange(ctx context.Context, l *leg) {
	if l.extra {
		// The part, if there is one, is the first request's.
	} else if l.err = f.resume(ctx, l.task); l.err != nil { // before the clock starts, as it may have much to read
		l.started, l.began = time.Now(), clock.Now()
		l.ended = l.began
		return
	}
	l.started, l.began = time.Now(), clock.Now()
	if l.unsent = l.began < l.host.held.until(); l.unsent {
		l.ended = l.began
		return
	}
	if l.err = ctx.Err(); l.err != nil { // the run ended before a worker came to it
		l.ended = l.began
		return
	}
	parent := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := l.began.Add(f.cfg.Timeout)
	if l.race != nil {
		if !l.race.enter(cancel) {
			l.unsent, l.ended = true, l.began
			return
		}
		if l.extra {
			end = l.race.began.Add(f.cfg.Timeout)
		}
	}
	dog := watchdog{stall: f.cfg.Stall, timeout: f.cfg.Timeout, end: end, cancel: cancel}
	dog.timer = time.AfterFunc(end.Sub(l.began), dog.bark)
	defer dog.timer.Stop()
	l.err = f.roundTrip(ctx, &dog, l)
	l.ended = clock.Now()
	if save, ok := errors.AsType[*SaveError](l.err); ok {
		if !scarce(save) {
			l.fatal = save
		}
	} else if l.err != nil && ctx.Err() != nil && parent.Err() == nil {
		l.err = context.Cause(ctx) // not what it looked like to net/http
	}
}

func (f *run) roundTrip(ctx context.Context, dog *watchdog, l *leg) error {
	l.trace.Init(true)
	ctx = httptrace.WithClientTrace(ctx, &l.trace.Client)
	client := http.Client{Transport: tracer{f.cfg.Transport, l}, CheckRedirect: l.redirected}
	resp, err := client.Do(l.req.WithContext(ctx))
	if resp != nil { // also with the error of a redirect that is not followed
		defer resp.Body.Close()
		l.status = resp.StatusCode
	}
	if err != nil {
		return err
	}
	if l.race != nil {
		l.race.headed.Store(true)
		if (l.moved != nil || l.status/100 == 2) && !l.race.win(l) {
			return errOvertaken
		}
	}
	if l.followed || l.hops > 0 {
		l.finalURL = resp.Request.URL.Redacted() // a server may redirect to a password
	}
	if l.moved == nil && httprule.Holds(l.status) {
		if l.hint, _ = retryafter.Parse(resp.Header, time.Now()); l.hint > 0 && l.hint <= f.cfg.MaxHint {
			l.host.held.extend(clock.Now().Add(l.hint)) // at once; run.hold says for how long exactly
		}
	}
	if l.status == http.StatusSwitchingProtocols {
		return nil // nobody asked for it, and a read of its body heeds no context: it is the bare connection
	}
	body := watched{resp.Body, dog, f.meter}
	beyond := l.asked && l.status == http.StatusRequestedRangeNotSatisfiable
	if l.moved != nil || l.status/100 != 2 {
		l.bytes, _ = io.CopyN(io.Discard, body, drainAtMost)
		if beyond {
			return f.beyond(l, resp)
		}
		if l.asked && refusesRest(l.status) {
			l.task.part.refused, l.progress = true, true
			return &refusedError{l.status}
		}
		return nil
	}
	if l.status == http.StatusPartialContent && resp.Request.Header.Get("Range") == "" {
		return errPart
	}
	return f.receive(l, resp, body)
}

// redirected is http.Client's CheckRedirect: a redirect within the host is followed, one that leads to another host, or meets its own on
// hold or asked to be spared, is left to the run, which asks the host's limits first. The request given here is the one to make next, with
// what may not go to a strange host already taken out.
func (l *leg) redirected(req *http.Request, via []*http.Request) error {
	if l.hops+len(via) >= maxRedirects {
		return errTooMany
	}
	if via[0].Header.Get("Referer") == "" {
		req.Header.Del("Referer") // net/http's own idea: nobody asked to tell one server of another
	}
	if hostOf(req.URL) != hostOf(via[0].URL) || l.spaced || clock.Now() < l.host.held.until() {
		req.Response = nil // which would keep its connection and buffers as long as req waits
		l.moved = req
		l.hops += len(via)
		return http.ErrUseLastResponse
	}
	l.followed = true
	return nil
}

// A tracer notices what net/http does on its own: when a kept connection proves dead it sends the request
// once more, and nobody hears of it.
type tracer struct {
	base http.RoundTripper
	l    *leg
}

func (t tracer) RoundTrip(req *http.Request) (*http.Response, error) {
	trace := &t.l.trace // which is in req's context
	if t.l.followed {
		trace = new(httprule.Trace)
		trace.Init(true)
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &trace.Client))
	}
	resp, err := t.base.RoundTrip(t.l.ask(req))
	t.l.unseen = trace.Unsent()
	t.l.replays += trace.Replays()
	return resp, err
}

// A watchdog cancels an attempt that takes too long, or whose body brings no byte for too long. One timer serves both.
type watchdog struct {
	stall, timeout time.Duration
	end            clock.Instant
	timer          *time.Timer
	cancel         context.CancelCauseFunc
}

func (d *watchdog) bark() {
	if clock.Now() >= d.end {
		d.cancel(&timeout.Error{After: d.timeout, Name: "attempt"})
		return
	}
	d.cancel(errStalled)
}

// A watched body brings its bytes before the dog barks. They are counted as they come, so that a large body is seen to move.
type watched struct {
	body  io.Reader
	dog   *watchdog
	meter *Meter
}

func (w watched) Read(p []byte) (int, error) {
	w.dog.timer.Reset(min(w.dog.stall, w.dog.end.Sub(clock.Now())))
	n, err := w.body.Read(p)
	w.meter.bytes.Add(int64(n))
	return n, err
}

// pause lets the dog sleep until the next Read: the time that the disk takes is not the server's.
func (w watched) pause() { w.dog.timer.Stop() }

// failure says why the leg failed, or nil if it brought a whole 2xx answer or a redirect to follow.
func (l *leg) failure(maxHint time.Duration) *Error {
	switch {
	case l.err != nil:
		return failureOf(l.err)
	case l.hint > maxHint:
		return hintFailure(l.hint, maxHint)
	case l.moved == nil && l.status/100 != 2 && !l.whole:
		return statusFailure(l.status)
	}
	return nil
}

// again reports whether the failed request may be sent again: if that can help, and if it is repeatable.
func (l *leg) again(why *Error) bool {
	return why.Retryable && why.Kind != KindHint && l.repeatable()
}

// repeatable reports whether the request may be sent again as far as the server is concerned: it has not acted on it, or may act on it
// twice.
func (l *leg) repeatable() bool {
	first := l.hops == 0 && !l.followed // else the item's own request has been answered
	unseen := first && (l.unseen || httprule.Unprocessed(l.err) || httprule.Refused(l.status))
	return unseen || httprule.Repeatable(l.task.item.Method, l.req.Header)
}

// verdict says what the leg means for its host as a whole.
func (l *leg) verdict() mettle.Verdict {
	switch {
	case l.err != nil:
		if _, ours := errors.AsType[*SaveError](l.err); ours {
			return mettle.Ignore
		}
		if l.progress {
			return mettle.Success // a host like that is not down: to rest would only delay what is left
		}
		switch kind, _ := sort(l.err); kind {
		case KindRedirect, KindTooLarge, KindChecksum:
			return mettle.Success
		}
		return mettle.Failure
	case l.hint > 0:
		return mettle.Ignore // the host says itself when to come back
	case hostFailed(l.status):
		return mettle.Failure
	}
	return mettle.Success
}
