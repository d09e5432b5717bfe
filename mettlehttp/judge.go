package mettlehttp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"github.com/mettle-go/mettle"
)

// Classify is what a nil Config.Classify means, for functions that only add to it. Of answers, those with the status 408, 421, 425, 429, 500, 502,
// 503, 504, 520 to 524 or 530 are a Failure: another time the answer may be another. The rest is a Success, 501 and "not found" included: the host is
// well, and asking again would bring the same. Of errors, those that the request itself is to blame for are Ignore, the rest is a Failure.
func Classify(resp *http.Response, err error) mettle.Verdict {
	switch {
	case err == nil && failing(resp.StatusCode):
		return mettle.Failure
	case err == nil:
		return mettle.Success
	case malformed(err):
		return mettle.Ignore
	default:
		return mettle.Failure
	}
}

// failing reports whether an answer of that status may be another one next time: RFC 9110, RFC 6585 and RFC 8470, and what content networks say of the
// server behind them.
func failing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		520, 521, 522, 523, 524, 530:
		return true
	}
	return refused(status)
}

// refused reports whether a server answers with that status what it has not begun to process.
func refused(status int) bool {
	return status == http.StatusMisdirectedRequest || status == http.StatusTooEarly
}

// holds reports whether Retry-After in an answer of that status speaks of all requests, not of this one only.
func holds(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// Verdict gives the verdict of an attempt's error on its host: the Classify of a breaker in a policy made by Config.Host. It is that of Config.Classify,
// except that 421 and 425 are a Success, which only concern the one request, and that a 429 or 503 by which the host asks for a pause that it will get is
// Ignore: the pause says all there is to say. Errors that come from nowhere in this package are a Failure.
func Verdict(err error) mettle.Verdict {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.verdict
	}
	return mettle.Failure
}

// repeatable reports whether a request that may have reached the server may be sent again: by its method (RFC 9110, section 9.2.2), or because it
// carries a key by which the server knows repeats. As in net/http, a key that is there but has no value is not sent and counts.
func repeatable(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	_, key := req.Header["Idempotency-Key"]
	_, xkey := req.Header["X-Idempotency-Key"]
	return key || xkey
}

// safe reports whether the request only reads (RFC 9110, section 9.2.1).
func safe(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// unprocessed reports whether err says that an HTTP/2 server did not look at the request: the stream was refused, or is beyond the last one that the
// server's GOAWAY admits (RFC 9113, sections 8.7 and 6.8). net/http repeats most of these by itself, up to six times, and gives up when it cannot rewind the
// body, when that many were refused in a row, and when the first stream of a connection was. Its errors have no names to the outside, those of
// golang.org/x/net/http2 have, and the texts of both are the same: so it is the text that is looked at, and only its beginning, since a server may put
// words into the rest.
func unprocessed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if _, ok := err.(interface{ IsHTTP2NoCachedConnError() }); ok {
			return true
		}
		text := strings.TrimPrefix(err.Error(), "http2: Transport: cannot retry err [")
		if rest, ok := strings.CutPrefix(text, "stream error: stream ID "); ok {
			_, code, _ := strings.Cut(rest, "; ")
			if strings.HasPrefix(code, "REFUSED_STREAM") {
				return true
			}
		}
		for _, begin := range []string{
			"http2: Transport received Server's graceful shutdown GOAWAY",
			"http2: Transport received GOAWAY from server",
			"http2: client conn not usable",
			"http2: client conn could not be established",
		} {
			if strings.HasPrefix(text, begin) {
				return true
			}
		}
	}
	return false
}

// malformed reports whether err says that the request cannot be sent to anybody. These errors of net/http have no names.
func malformed(err error) bool {
	if errors.Is(err, ErrBody) {
		return true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		text := err.Error()
		for _, begin := range []string{
			"unsupported protocol scheme", "net/http: invalid header ", "net/http: invalid trailer ", "net/http: invalid method ",
			"http: no Host in request URL", "http: nil Request.", "http: invalid Host header", "http: ContentLength=",
		} {
			if strings.HasPrefix(text, begin) {
				return true
			}
		}
	}
	return false
}

// hopeless reports whether sending the request again would end in the same error.
func hopeless(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	return malformed(err)
}
