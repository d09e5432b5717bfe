// Package httprule knows what HTTP says of trying again: which answers may be others next time, which requests may be sent twice,
// and by what signs a client can tell that a server never processed a request. It judges; what follows from it is its callers' matter.
package httprule

import "net/http"

// Passing reports whether an answer of that status may be another one next time: RFC 9110, RFC 6585 and RFC 8470, and what content networks say of
// the server behind them.
func Passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		520, 521, 522, 523, 524, 530:
		return true
	}
	return Refused(status)
}

// Refused reports whether a server answers with that status what it has not begun to process.
func Refused(status int) bool {
	return status == http.StatusMisdirectedRequest || status == http.StatusTooEarly
}

// Holds reports whether Retry-After in an answer of that status speaks of all requests, not of this one only.
func Holds(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// Repeatable reports whether a request that may have reached the server may be sent again: by its method (RFC 9110, section 9.2.2), or because it
// carries a key by which the server knows repeats. As in net/http, a key that is there but has no value is not sent and counts.
func Repeatable(method string, h http.Header) bool {
	switch method {
	case http.MethodPut, http.MethodDelete:
		return true
	}
	_, key := h["Idempotency-Key"]
	_, xkey := h["X-Idempotency-Key"]
	return Safe(method) || key || xkey
}

// Safe reports whether requests with that method only read (RFC 9110, section 9.2.1).
func Safe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}
