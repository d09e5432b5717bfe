package ratelimit_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/ratelimit"
)

// A server that tells the clients it turns away when to come again.
func Example_server() {
	limit := ratelimit.New(ratelimit.Config{Name: "search", Rate: 1, Per: time.Minute, Burst: 2})

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := limit.Acquire(r.Context()); err != nil {
			if rejected, ok := errors.AsType[*mettle.RejectedError](err); ok {
				if after, known := rejected.RetryAfter(); known {
					seconds := int(math.Ceil(after.Seconds()))
					w.Header().Set("Retry-After", strconv.Itoa(seconds))
				}
			}
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		fmt.Fprintln(w, "found")
	})

	for range 3 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/search", nil))
		fmt.Printf("%d %q\n", w.Code, w.Header().Get("Retry-After"))
	}
	// Output:
	// 200 ""
	// 200 ""
	// 429 "60"
}
