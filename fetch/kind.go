package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/mettle-go/mettle/internal/httprule"
	"github.com/mettle-go/mettle/timeout"
)

var (
	errStalled   = errors.New("the body brought no more bytes")
	errTooMany   = errors.New("stopped after 10 redirects")
	errBodyShort = errors.New("the body ended early")
	errPart      = errors.New("the answer is 206, a part, though the whole was asked for")
)

// failureOf sorts the error of an attempt. It returns nil for nil.
func failureOf(err error) *Error {
	if err == nil {
		return nil
	}
	kind, retryable := sort(err)
	return &Error{Kind: kind, Message: message(err), Retryable: retryable}
}

func sort(err error) (Kind, bool) {
	if _, ok := errors.AsType[*timeout.Error](err); ok {
		return KindTimeout, true
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // its text has the URL, which must not be taken for a part of the error
	}
	if sum, ok := errors.AsType[*sumError](err); ok {
		return KindChecksum, !sum.again
	}
	if _, ok := errors.AsType[*sizeError](err); ok {
		return KindTooLarge, false
	}
	if _, ok := errors.AsType[*refusedError](err); ok {
		return KindStatus, true
	}
	switch {
	case errors.Is(err, errStalled):
		return KindStalled, true
	case errors.Is(err, errTooMany):
		return KindRedirect, false
	case errors.Is(err, errBodyShort), errors.Is(err, errBodyLong), errors.Is(err, errMissing), errors.Is(err, errMismatch),
		errors.Is(err, errLost), strings.Contains(err.Error(), "more than declared Content-Length"): // the last is HTTP/2's errBodyLong
		return KindTruncated, true
	case errors.Is(err, errPart):
		return KindTruncated, false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return KindDNS, !dns.IsNotFound
	}
	switch {
	case secure(err):
		return KindTLS, false
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return KindTimeout, true
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return KindRefused, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return KindReset, true
	case strings.Contains(err.Error(), "server closed idle connection"):
		return KindReset, true // net/http keeps this error to itself, and those of HTTP/2
	case strings.Contains(err.Error(), "stream error: "), strings.Contains(err.Error(), "http2: "):
		return KindReset, true
	case strings.Contains(err.Error(), "Location header"), strings.Contains(err.Error(), "unsupported protocol scheme"),
		strings.Contains(err.Error(), "no Host in request URL"):
		return KindRedirect, false // as above; items themselves have a good scheme and host
	case httprule.Malformed(err):
		return KindInvalid, false
	}
	return KindOther, true
}

// secure reports whether err is about TLS itself, not about the connection below it.
func secure(err error) bool {
	_, alert := errors.AsType[tls.AlertError](err)
	text := err.Error()
	return alert || httprule.Untrusted(err) || strings.Contains(text, "tls: ") || strings.Contains(text, "gave HTTP response to HTTPS client")
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// message is err's text without what the record says elsewhere.
func message(err error) string {
	if stop, ok := errors.AsType[*timeout.Error](err); ok {
		return fmt.Sprintf("the attempt took longer than %v", stop.After)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return outer.Err.Error()
	}
	return err.Error()
}

// hostFailed reports whether an answer of that status speaks against the host as a whole.
func hostFailed(code int) bool { return code >= 500 && httprule.Passing(code) }
