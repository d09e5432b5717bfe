package mettlehttp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/mettlehttp"
	"github.com/mettle-go/mettle/retry"
)

// After many requests of all sorts, no connection and no goroutine is left: neither here nor at the server. And what was had was right.
func TestNothingLeaks(t *testing.T) {
	requests := 10_000
	if testing.Short() || raceEnabled {
		requests = 1000
	}
	before := runtime.NumGoroutine()
	var open atomic.Int32
	var known sync.Map
	// Every path is another behavior, each of which fails when a request comes for the first time.
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // before that a server does not notice that its client leaves
		_, again := known.LoadOrStore(r.Header.Get("X-Number"), true)
		fails := !again
		switch r.URL.Path {
		case "/status":
			if fails {
				w.WriteHeader(503)
			}
			fmt.Fprint(w, "body")
		case "/big":
			if fails {
				w.WriteHeader(502)
			}
			io.WriteString(w, strings.Repeat("x", 100<<10))
		case "/reset":
			if fails {
				conn, _, _ := http.NewResponseController(w).Hijack()
				conn.Close()
			}
		case "/hang":
			if fails {
				<-r.Context().Done()
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			if fails {
				w.WriteHeader(500)
			}
			io.WriteString(w, "short")
		}
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
	srv.Start()
	base := &http.Transport{MaxIdleConnsPerHost: 16}
	c := &http.Client{Transport: mettlehttp.NewTransport(base, mettlehttp.Config{
		Host: none, Timeout: 500 * time.Millisecond, Hedge: hedge.Config{Delay: 20 * time.Millisecond, Budget: hedge.Unlimited},
		Retry: retry.Config{Backoff: atOnce, Budget: retry.Unlimited},
	})}
	paths := []string{"/status", "/big", "/reset", "/cut", "/status", "/hang", "/status", "/big"}
	bodies := map[string]string{"/status": "body", "/big": strings.Repeat("x", 100<<10)} // by path, of 200
	var next, due, had atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := next.Add(1); int(i) <= requests; i = next.Add(1) {
				path := paths[int(i)%len(paths)]
				if path == "/hang" && i%25 > 0 {
					path = "/status" // enough of them to see, few enough not to wait long
				}
				ctx, cancel := context.WithCancel(t.Context())
				var body io.Reader
				method := "GET"
				switch i % 4 {
				case 1:
					method, body = "PUT", strings.NewReader("small")
				case 2:
					method, body = "POST", io.MultiReader(strings.NewReader(strings.Repeat("y", 1<<10)))
				}
				req, err := http.NewRequestWithContext(ctx, method, srv.URL+path, body)
				if err != nil {
					t.Error(err)
				}
				req.Header.Set("X-Number", strconv.Itoa(int(i)))
				left := i%7 == 0
				if left {
					time.AfterFunc(time.Millisecond, cancel)
				}
				must := !left && method != "POST" && path != "/cut"
				if must {
					due.Add(1)
				}
				resp, err := c.Do(req)
				if err == nil {
					if i%3 > 0 || must {
						body, err := io.ReadAll(resp.Body)
						right := err == nil && resp.StatusCode == 200
						if right && (path == "/cut" || string(body) != bodies[path]) {
							t.Errorf("%s %s: %d bytes, taken for whole", method, path, len(body))
						}
						if must && right {
							had.Add(1)
						}
					}
					resp.Body.Close()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	// A machine that is busy may let all attempts at one take too long.
	if due, had := due.Load(), had.Load(); had < due/2 {
		t.Errorf("of %d requests that succeed when they are sent again, %d did", due, had)
	} else {
		t.Logf("%d of %d", had, due)
	}
	c.CloseIdleConnections()
	srv.Close()
	// The ends of connections and goroutines are noticed a moment later. How long that takes decides nothing, unless they do not end.
	for begin := time.Now(); open.Load() > 0 || runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("%d connections and %d goroutines are left", open.Load(), runtime.NumGoroutine()-before)
		}
	}
}
