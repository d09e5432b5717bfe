package mettlehttp

import (
	"errors"
	"net/http"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/httprule"
)

// Classify is what a nil Config.Classify means, for functions that only add to it. Of answers, those with the status 408, 421, 425, 429, 500, 502,
// 503, 504, 520 to 524 or 530 are a Failure: another time the answer may be another. The rest is a Success, 501 and "not found" included: the host is
// well, and asking again would bring the same. Of errors, those that the request itself is to blame for are Ignore, the rest is a Failure.
func Classify(resp *http.Response, err error) mettle.Verdict {
	switch {
	case err == nil && httprule.Passing(resp.StatusCode):
		return mettle.Failure
	case err == nil:
		return mettle.Success
	case malformed(err):
		return mettle.Ignore
	default:
		return mettle.Failure
	}
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

// malformed reports whether err says that the request cannot be sent to anybody.
func malformed(err error) bool { return errors.Is(err, ErrBody) || httprule.Malformed(err) }

// hopeless reports whether sending the request again would end in the same error.
func hopeless(err error) bool { return httprule.Untrusted(err) || malformed(err) }
