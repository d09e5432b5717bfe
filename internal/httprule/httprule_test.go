package httprule

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"testing"
)

func TestStatuses(t *testing.T) {
	passing := []int{408, 421, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 530}
	for status := 100; status < 1000; status++ {
		if got, want := Passing(status), slices.Contains(passing, status); got != want {
			t.Errorf("Passing(%d) = %v", status, got)
		}
		if got, want := Refused(status), status == 421 || status == 425; got != want {
			t.Errorf("Refused(%d) = %v", status, got)
		}
		if got, want := Holds(status), status == 429 || status == 503; got != want {
			t.Errorf("Holds(%d) = %v", status, got)
		}
	}
}

func TestMethods(t *testing.T) {
	for method, want := range map[string]struct{ safe, repeatable bool }{
		"": {true, true}, "GET": {true, true}, "HEAD": {true, true}, "OPTIONS": {true, true}, "TRACE": {true, true},
		"PUT": {false, true}, "DELETE": {false, true},
		"POST": {}, "PATCH": {}, "CONNECT": {}, "get": {}, "PROPFIND": {},
	} {
		if got := Safe(method); got != want.safe {
			t.Errorf("Safe(%q) = %v", method, got)
		}
		if got := Repeatable(method, http.Header{"Content-Type": {"text/plain"}}); got != want.repeatable {
			t.Errorf("Repeatable(%q) = %v", method, got)
		}
		for _, key := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
			if !Repeatable(method, http.Header{key: nil}) {
				t.Errorf("Repeatable(%q) with the field %s is false", method, key)
			}
		}
	}
}

type noCachedConn struct{ error }

func (noCachedConn) IsHTTP2NoCachedConnError() {}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		err                               error
		unprocessed, malformed, untrusted bool
	}{
		{err: nil},
		{err: io.EOF},
		{err: errors.New("stream error: stream ID 5; REFUSED_STREAM"), unprocessed: true},
		{err: errors.New("stream error: stream ID 5; INTERNAL_ERROR")},
		{err: errors.New("stream error: stream ID 5; INTERNAL_ERROR; REFUSED_STREAM")},
		{err: errors.New("http2: Transport: cannot retry err [stream error: stream ID 1; REFUSED_STREAM; received from peer] after"), unprocessed: true},
		{err: errors.New("http2: Transport received Server's graceful shutdown GOAWAY"), unprocessed: true},
		{err: errors.New("http2: Transport received GOAWAY from server ErrCode:NO_ERROR"), unprocessed: true},
		{err: errors.New(`http2: server sent GOAWAY and closed the connection; LastStreamID=1, debug="http2: client conn not usable"`)},
		{err: errors.New("http2: client conn not usable"), unprocessed: true},
		{err: errors.New("http2: client conn could not be established"), unprocessed: true},
		{err: noCachedConn{io.EOF}, unprocessed: true},
		{err: errors.New(`unsupported protocol scheme "ftp"`), malformed: true},
		{err: errors.New(`net/http: invalid header field name "a b"`), malformed: true},
		{err: errors.New("http: no Host in request URL"), malformed: true},
		{err: errors.New("server said: unsupported protocol scheme")},
		{err: &tls.CertificateVerificationError{Err: errors.New("expired")}, untrusted: true},
		{err: x509.UnknownAuthorityError{}, untrusted: true},
		{err: tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, untrusted: true},
		{err: tls.AlertError(80)},
	} {
		wrapped := tt.err
		if wrapped != nil {
			wrapped = &url.Error{Op: "Get", URL: "http://a.test/unsupported protocol scheme", Err: fmt.Errorf("trying: %w", tt.err)}
		}
		for _, err := range []error{tt.err, wrapped} {
			if got := Unprocessed(err); got != tt.unprocessed {
				t.Errorf("Unprocessed(%v) = %v", err, got)
			}
			if got := Malformed(err); got != tt.malformed {
				t.Errorf("Malformed(%v) = %v", err, got)
			}
			if got := Untrusted(err); got != tt.untrusted {
				t.Errorf("Untrusted(%v) = %v", err, got)
			}
		}
	}
}

// What happens, in order: a connection is asked for (a), got (g), the headers written (w).
func TestTrace(t *testing.T) {
	for _, tt := range []struct {
		happens string
		unsent  bool
		replays int
	}{
		{"", false, 0}, // a transport that tells nothing
		{"a", true, 0},
		{"ag", false, 0},
		{"agw", false, 0},
		{"agwag", false, 1},
		{"agwagw", false, 1},
		{"agag", false, 0}, // the first connection was dead before it was written to
		{"agwagwagw", false, 2},
	} {
		for _, ask := range []bool{true, false} {
			var tr Trace
			tr.Init(ask)
			for _, what := range tt.happens {
				switch {
				case what == 'a' && ask:
					tr.Client.GetConn("a.test:80")
				case what == 'g':
					tr.Client.GotConn(httptrace.GotConnInfo{})
				case what == 'w':
					tr.Client.WroteHeaders()
				}
			}
			if got := tr.Unsent(); got != (tt.unsent && ask) {
				t.Errorf("%q: Unsent() = %v", tt.happens, got)
			}
			if got := tr.Replays(); got != tt.replays {
				t.Errorf("%q: Replays() = %d", tt.happens, got)
			}
		}
	}
}
