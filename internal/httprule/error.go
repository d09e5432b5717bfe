package httprule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// Unprocessed reports whether err says that an HTTP/2 server did not look at the request: the stream was refused, or is beyond the last one that the
// server's GOAWAY admits (RFC 9113, sections 8.7 and 6.8). net/http repeats most of these by itself, up to six times, and gives up when it cannot rewind the
// body, when that many were refused in a row, and when the first stream of a connection was. Its errors have no names to the outside, those of
// golang.org/x/net/http2 have, and the texts of both are the same: so it is the text that is looked at, and only its beginning, since a server may put
// words into the rest.
func Unprocessed(err error) bool {
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
		if begins(text, "http2: Transport received Server's graceful shutdown GOAWAY", "http2: Transport received GOAWAY from server",
			"http2: client conn not usable", "http2: client conn could not be established") {
			return true
		}
	}
	return false
}

// Malformed reports whether err says that the request cannot be sent to anybody. These errors of net/http have no names.
func Malformed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if begins(err.Error(), "unsupported protocol scheme", "net/http: invalid header ", "net/http: invalid trailer ", "net/http: invalid method ",
			"http: no Host in request URL", "http: nil Request.", "http: invalid Host header", "http: ContentLength=") {
			return true
		}
	}
	return false
}

func begins(text string, with ...string) bool {
	for _, w := range with {
		if strings.HasPrefix(text, w) {
			return true
		}
	}
	return false
}

// Untrusted reports whether err says that the other side is not who it should be, or does not speak TLS: another time it would be the same.
func Untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
