package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// wire is a network without connections: a RoundTripper that answers as it is told.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func answer(r *http.Request, code int, body string, header ...string) *http.Response {
	h := make(http.Header)
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{
		StatusCode: code, ProtoMajor: 1, ProtoMinor: 1, Header: h, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}
}

// The body of a 101 is the bare connection: a read of it heeds no context.
func TestSwitchingProtocolsDoesNotHang(t *testing.T) {
	release := make(chan struct{})
	target, _ := seen(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		<-release
		conn.Close()
	})
	defer close(release)
	if r := one(t, Config{Attempts: 2}, Item{URL: target}); r.OK || r.Status != 101 || r.Error.Kind != KindStatus || len(r.Attempts) != 1 {
		t.Errorf("%+v, %v", r, r.Error)
	}
}

// The POST has been answered; that what the answer leads to fails must not send it again.
func TestAnAnsweredPostIsNotSentAgain(t *testing.T) {
	for _, code := range []int{http.StatusFound, http.StatusSeeOther} {
		for name, follow := range map[string]string{"to a closed port": "http://127.0.0.1:1/", "within the host": "/done"} {
			var posts atomic.Int32
			target, _ := seen(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					posts.Add(1)
					http.Redirect(w, r, follow, code)
					return
				}
				w.WriteHeader(http.StatusTooEarly)
			})
			r := one(t, Config{Attempts: 3}, Item{URL: target, Method: "POST", Body: "buy"})
			if posts.Load() != 1 || r.OK {
				t.Errorf("%d %s: the server got the POST %d times, want once: %v", code, name, posts.Load(), r.Error)
			}
		}
	}
}

func TestNoServerIsToldOfAnother(t *testing.T) {
	var mu sync.Mutex
	referers := make(map[string]string)
	note := func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		referers[r.URL.Path] = r.Referer()
	}
	end, _ := seen(t, func(_ http.ResponseWriter, r *http.Request) { note(r) })
	begin, _ := seen(t, func(w http.ResponseWriter, r *http.Request) {
		note(r)
		if r.URL.Path == "/1" {
			http.Redirect(w, r, "/2", http.StatusFound)
			return
		}
		http.Redirect(w, r, strings.Replace(end, "127.0.0.1", "localhost", 1)+"/3", http.StatusFound)
	})
	one(t, Config{}, Item{URL: begin + "/1?token=secret"})
	if got := fmt.Sprint(referers); got != "map[/1: /2: /3:]" {
		t.Errorf("Referers by path: %s, want none", got)
	}
	one(t, Config{}, Item{URL: begin + "/1", Header: map[string]string{"Referer": "http://me.test/"}})
	if got := fmt.Sprint(referers); got != "map[/1:http://me.test/ /2:http://me.test/ /3:http://me.test/]" {
		t.Errorf("Referers by path: %s, want the one that was asked for", got)
	}
}

// A request that was under way when its host asked to be left alone is then redirected within the host.
func TestARedirectWithinTheHostHeedsItsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		sink := &collector{t: t}
		Run(t.Context(), Config{Transport: wire(func(r *http.Request) (*http.Response, error) {
			switch r.URL.Path {
			case "/slow":
				time.Sleep(2 * time.Second)
				return answer(r, 302, "", "Location", "/next"), nil
			case "/hold": // from second 1 to 61
				time.Sleep(time.Second)
				if time.Since(begin) < time.Minute {
					return answer(r, 429, "", "Retry-After", "60"), nil
				}
			case "/next":
				if at := time.Since(begin); at < 61*time.Second {
					t.Errorf("/next was requested %v after the begin, in a hold that ends at 61s", at)
				}
			}
			return answer(r, 200, "ok"), nil
		})}, URLs("http://a.test/slow", "http://a.test/hold"), sink)
		if r := sink.byID()["http://a.test/slow"]; !r.OK || r.FinalURL != "http://a.test/next" || len(r.Attempts) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestHostsAreForgotten(t *testing.T) {
	for name, w := range map[string]wire{
		"dead": func(r *http.Request) (*http.Response, error) {
			return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
		},
		"on hold": func(r *http.Request) (*http.Response, error) { return answer(r, 429, "", "Retry-After", "1"), nil },
		"failing": func(r *http.Request) (*http.Response, error) { return answer(r, 500, ""), nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newRun(Config{Transport: w, Attempts: 1, Window: 100}.withDefaults(), &collector{t: t})
			src := func(context.Context) iter.Seq2[Item, error] {
				return func(yield func(Item, error) bool) {
					for i := range 5000 {
						if i%500 == 0 {
							time.Sleep(time.Minute)
						}
						if !yield(Item{URL: fmt.Sprintf("http://host%d.test/", i)}, nil) {
							return
						}
					}
				}
			}
			err := group.Run(t.Context(), func(g *group.Group) error {
				g.Go(func(ctx context.Context) error { f.read(ctx, src); return nil })
				return f.loop(g.Context(), g)
			})
			if err != nil || len(f.hosts) > 1100 {
				t.Errorf("%s: %d of 5000 hosts in memory, %v", name, len(f.hosts), err)
			}
		})
	}
}

// A generator that writes in blocks leaves half a line at the end of each.
func TestHalfALineDoesNotHoldBackWholeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		go func() {
			io.WriteString(w, "http://a.test/1\nhttp://a.test/2\nhttp://a.te")
			time.Sleep(time.Hour)
			io.WriteString(w, "st/3\n")
			w.Close()
		}()
		begin := time.Now()
		for it, err := range Lines("x", r)(t.Context()) {
			if waited := time.Since(begin); err != nil || waited > 0 && it.URL != "http://a.test/3" {
				t.Errorf("%s came after %v, %v", it.URL, waited, err)
			}
		}
	})
}

func TestALineThatCouldNotBeReadToItsEndIsNoItem(t *testing.T) {
	broken := errors.New("input/output error")
	r := io.MultiReader(strings.NewReader("http://a.test/1\nhttp://a.test/users/12"), iotest.ErrReader(broken))
	got := drain(Lines("x", r))
	if len(got) != 2 || got[0] != "http://a.test/1" || !strings.Contains(got[1], "input/output error") {
		t.Errorf("%q, want the whole line and the error", got)
	}
}

// busy is a sink that ends the run's context while the loop waits for it.
type busy struct {
	*collector
	cancel func()
}

func (s busy) Write(r *Record) error {
	s.cancel()
	time.Sleep(time.Second)
	return s.collector.Write(r)
}

// When the loop comes to look, the end of the context, of the input and of running requests are there at once.
func TestARunThatWasCanceledSaysSo(t *testing.T) {
	w := wire(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		time.Sleep(time.Second)
		return answer(r, 200, "ok"), nil
	})
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			c, err := Run(ctx, Config{Transport: w}, URLs("http://a.test/", "http://a.test/slow"), busy{&collector{t: t}, cancel})
			if c.Left() > 0 && !errors.Is(err, context.Canceled) {
				t.Errorf("%v with %d items left", err, c.Left())
			}
			input, more := io.Pipe()
			defer more.Close()
			go io.WriteString(more, "http://a.test/1\n")
			ctx, cancel = context.WithCancel(t.Context())
			c, err = Run(ctx, Config{Transport: w}, Lines("x", input), busy{&collector{t: t}, cancel})
			if !errors.Is(err, context.Canceled) || c.AllRead {
				t.Errorf("%v, all read: %v; the input has not ended", err, c.AllRead)
			}
		})
	}
}

func TestAPartIsNotTheWhole(t *testing.T) {
	w := wire(func(r *http.Request) (*http.Response, error) {
		return answer(r, 206, "0123456789", "Content-Range", "bytes 0-9/100"), nil
	})
	if r := one(t, Config{Transport: w}, Item{URL: "http://a.test/"}); r.OK || r.Error.Kind != KindTruncated || len(r.Attempts) != 1 {
		t.Errorf("nobody asked for a part: %+v, %v", r, r.Error)
	}
	if r := one(t, Config{Transport: w}, Item{URL: "http://a.test/", Header: map[string]string{"Range": "bytes=0-9"}}); !r.OK || r.Bytes != 10 {
		t.Errorf("a part was asked for: %+v, %v", r, r.Error)
	}
}

func TestHTTP2ConnectionsBreakLikeOthers(t *testing.T) {
	for name, begun := range map[string]bool{"before the answer": false, "amid the body": true} {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if begun {
				w.Header().Set("Content-Length", "100")
				w.Write(make([]byte, 50))
				w.(http.Flusher).Flush()
			}
			panic(http.ErrAbortHandler)
		}))
		srv.EnableHTTP2 = true
		srv.StartTLS()
		if r := one(t, Config{Transport: srv.Client().Transport, Attempts: 2}, Item{URL: srv.URL}); r.OK || r.Error.Kind != KindReset || len(r.Attempts) != 2 {
			t.Errorf("%s: %v after %d attempts, want reset after 2", name, r.Error, len(r.Attempts))
		}
		srv.Close()
	}
}

func TestTheURLDoesNotDecideTheKind(t *testing.T) {
	for _, q := range []string{"tls: x", "Location header", "stream error: x"} {
		w := wire(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })
		r := one(t, Config{Transport: w, Attempts: 2}, Item{URL: "http://a.test/?q=" + url.PathEscape(q) + q})
		if r.Error.Kind != KindReset || len(r.Attempts) != 2 {
			t.Errorf("%s: %v after %d attempts, want reset after 2", q, r.Error, len(r.Attempts))
		}
	}
}

// A Source of one's own need not check its items, and what is wrong with them must not be held against their hosts.
func TestItemsThatCannotBeSentAreInvalid(t *testing.T) {
	for _, it := range []Item{
		{URL: "ftp://a.test/"}, {URL: "a.test/x"}, {URL: "http://a.test/caf\xe9"},
		{URL: "http://a.test/", Header: map[string]string{"X": "a\nb"}},
		{URL: "http://a.test/", Header: map[string]string{"X": "a\x01b"}},
		{URL: "http://a.test/", Header: map[string]string{"host": "a b"}},
	} {
		sink := &collector{t: t}
		w := wire(func(r *http.Request) (*http.Response, error) { return nil, fmt.Errorf("%v was sent", r.URL) })
		Run(t.Context(), Config{Transport: w}, func(context.Context) iter.Seq2[Item, error] {
			return func(yield func(Item, error) bool) { yield(it, nil) }
		}, sink)
		if r := sink.records[0]; r.Error.Kind != KindInvalid || len(r.Attempts) != 0 {
			t.Errorf("%+v: %v after %d attempts, want invalid", it, r.Error, len(r.Attempts))
		}
	}
}

func TestFinalURL(t *testing.T) {
	w := wire(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path == "/redirect" {
			return answer(r, 302, "", "Location", "http://user:hunter2@a.test/x"), nil
		}
		return answer(r, 200, "ok"), nil
	})
	for _, u := range []string{"HTTP://a.test/", "http://a.test/a b", "http://a.test/#"} {
		if r := one(t, Config{Transport: w}, Item{URL: u}); r.FinalURL != "" {
			t.Errorf("%s: final_url %s, but there was no redirect", u, r.FinalURL)
		}
	}
	r := one(t, Config{Transport: w}, Item{URL: "http://a.test/redirect"})
	if line, _ := r.Line(); r.FinalURL == "" || bytes.Contains(line, []byte("hunter2")) {
		t.Errorf("%s", line)
	}
}

// Package net/http takes 000 for a status. It is an answer, if none that is good for anything.
func TestStatusZero(t *testing.T) {
	target, requests := seen(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n")
	})
	r := one(t, Config{}, Item{URL: target})
	if r.OK || r.Error.Kind != KindStatus || len(requests()) != 1 {
		t.Errorf("%+v, %v after %d requests", r, r.Error, len(requests()))
	}
}
