// Package mettlehttp puts policies around HTTP requests: NewTransport for clients, with retries that know what may be sent again, a breaker for each host
// and the pauses that hosts ask for; Handler for servers, with answers that say when to come back.
//
// # When to use it
//
// In every client that talks to servers which may fail for a moment: give NewTransport's result to an http.Client, to httputil.ReverseProxy,
// or to any library that takes either. In a server that would rather turn some requests away than fail them all: Handler.
//
// # Not for
//
// Many URLs that are all to be had in the end: package fetch. Policies around more than one request, such as a login and what follows: compose them
// with package mettle and call through them.
//
// # Example
//
//	var client = &http.Client{Transport: mettlehttp.NewTransport(nil, mettlehttp.Config{})}
//
//	resp, err := client.Get("https://api.example.com/users/7")
//
//	http.ListenAndServe(addr, mettlehttp.Handler(bulkhead.New(bulkhead.Config{Limit: 100, Queue: 200}), mux))
//
// # Defaults
//
//	Retry      3 attempts, 100 ms doubling, full jitter, a budget: those of package retry
//	Host       a breaker a host, with the defaults of package breaker
//	Timeout    none: set one, here or in http.Client
//	Hedge      none
//	MaxHold    as long as Retry.MaxHint, 5 min
//	MaxBuffer  64 KiB
//
// # Order
//
//	RoundTrip ─▶ retry ─▶ hedge ─▶ hold ─▶ Config.Host ─▶ Timeout ─▶ the base
//	             │        │        │       │              └ until the headers of one answer
//	             │        │        │       └ a breaker: sees every attempt
//	             │        │        └ waits while the host wants to be left alone
//	             │        └ safe methods only, if asked for
//	             └ makes the attempts
//
// # What is sent again
//
// A request whose method is idempotent (GET, HEAD, OPTIONS, TRACE, PUT, DELETE: RFC 9110, section 9.2.2), or that has a header field Idempotency-Key or
// X-Idempotency-Key. Any other only where it is proven that the server did not process it: no connection came about, since dialing or the TLS
// handshake failed; an HTTP/2 server refused the stream, or its GOAWAY says that it did not look at it; the status is 421 or 425.
// A certificate that does not verify and a request that is malformed are not tried again.
//
// The body is had anew from Request.GetBody, which http.NewRequest sets for the readers of packages bytes and strings. Of any other, up to MaxBuffer bytes are
// remembered while they are sent, so that nothing is read ahead and a longer body is sent all the same, but once.
//
// # What is a failure
//
// Answers with the status 408, 421, 425, 429, 500, 502, 503, 504, 520 to 524 and 530, and errors: see Classify. The others are answers, 501 and the rest of 4xx
// included, and speak for the host. What a breaker is told is said by Verdict. An attempt is judged when the headers of its answer are there, and
// permits of gates in Config.Host are given back then; what happens to the body is not counted.
//
// After the last attempt the caller gets its response, whatever the status. So does the caller of a request whose wait is refused: by the budget, by the
// deadline, or because the host asks for more than Retry.MaxHint. Where a further attempt was rejected by a policy, it is the response before, if its body was
// no longer than 64 KiB. The body of an answer that is not the caller's is read to that length, for 250 ms at most, and closed before the wait begins.
//
// # Pauses
//
// Retry-After, in seconds or as a date, which counts from the answer's own Date, is the least wait before the next attempt. With the status 429 or
// 503 it is for the whole host: until then no request is sent there. Others wait, and then come spread over a tenth of the time; those who cannot wait so
// long, by their deadline or MaxHold, are rejected at once with ErrHeld. A request that was on its way is not affected.
//
// # What net/http does by itself
//
// It sends a request again when a kept connection turns out to be dead, if the method is safe or there is an Idempotency-Key, and when an HTTP/2
// server refuses a stream, up to six times with waits of its own. Neither can be turned off. A Transport notices, by package httptrace, tells the
// observer, counts such a time as an attempt, and has it in the history as ErrReplayed.
//
// # Errors
//
// RoundTrip returns an error only if there is no response to return. After several attempts it is a *retry.ExhaustedError with the history, in which answers that
// were failures are *StatusError; of a single one it is its own. A *mettle.RejectedError says that nothing was sent: the host's breaker is open
// (breaker.ErrOpen), the host is held (ErrHeld), too many hosts are in use (keyed.ErrFull), or what Config.Host's policy says. ErrBody says
// that a request would have been sent again, but for its body. An http.Client wraps all of these in *url.Error, and errors.Is and errors.As reach
// through.
//
// # Events
//
// Those of the policies: mettle.Retried by "retry", mettle.Rejected by "hold" and "breaker", mettle.StateChanged by "breaker", mettle.TimedOut by "timeout",
// mettle.Hedged by "hedge"; and mettle.Retried by "http" with ErrReplayed, after the fact and with no wait. Breakers, holds and timeouts have the host as their
// name.
//
// # Concurrency, cancellation, panics
//
// A Transport is safe for concurrent use. It starts no goroutine but for hedges. The contexts that policies put around an attempt live on until its
// body has been read or closed, whatever the policy does when its Do returns. The deprecated Request.Cancel ends an attempt, and no other follows, but it does not end a
// wait. A panic of the base, a policy or an observer passes through; responses and the request's body are closed.
//
// # Cost
//
// A request that succeeds at once costs seven allocations more than without a Transport, or eight where its method is not idempotent. Config.Timeout, hedges
// and other policies with contexts of their own cost some more. A failed answer's body is kept in memory, up to 64 KiB, while its retry waits. A host takes about 1 KiB,
// and at most 10,000 hosts have policies at a time; see package keyed.
//
// # Mistakes
//
// Wrong: a transport for each request. Its breakers see one result each, and its budget has nothing to go by. Right: one variable for all.
//
// Wrong: a retry around the client as well. Three attempts of three make nine requests. Right: set Retry.
//
// Wrong: a POST that is to be retried without an Idempotency-Key, by Classify or a rule. Neither can do that. Right: a key by which the server knows repeats.
package mettlehttp
