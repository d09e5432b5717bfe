package retry

import "time"

// hint returns the wait that err asks for: what the first error of its tree says that has a method RetryAfter and knows an
// answer. errors.As would stop at the first that has the method, also where that one knows nothing, as a rejection often does.
func hint(err error) (time.Duration, bool) {
	if h, ok := err.(hinter); ok {
		if d, ok := h.RetryAfter(); ok {
			return d, true
		}
	}
	if as, ok := err.(interface{ As(any) bool }); ok {
		var h hinter
		if as.As(&h) {
			if d, ok := h.RetryAfter(); ok {
				return d, true
			}
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return hint(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			if inner == nil {
				continue
			}
			if d, ok := hint(inner); ok {
				return d, true
			}
		}
	}
	return 0, false
}

// A hinter is an error that may know how long to wait before the next attempt.
type hinter interface{ RetryAfter() (time.Duration, bool) }
