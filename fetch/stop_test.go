package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/internal/clock"
)

func slow(n int, each string) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://a.test/slow-headers/%d?for=%s", i, each)
	}
	return urls
}

func TestStopLetsWhatRunsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		stop := make(chan struct{})
		time.AfterFunc(1500*time.Millisecond, func() { close(stop) })
		sink := &collector{t: t}
		begin := time.Now()
		counts, err := Run(t.Context(), Config{Transport: net.transport, PerHost: 5, Stop: stop}, URLs(slow(50, "1s")...), sink)
		if !errors.Is(err, ErrStopped) || time.Since(begin) != 2*time.Second {
			t.Errorf("%v after %v, want ErrStopped after 2s", err, time.Since(begin))
		}
		if got := sink.byID(); len(got) != 10 || counts.OK != 10 || counts.Failed != 0 {
			t.Errorf("%d records, %+v; want the 10 that had begun", len(got), counts)
		}
	})
}

func TestGraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		sink := &collector{t: t}
		begin := time.Now()
		urls := append(slow(5, "20s"), "http://b.test/ok", "http://b.test/slow-headers?for=3s")
		counts, err := Run(t.Context(), Config{Transport: net.transport, Stop: stop, Grace: 4 * time.Second, Attempts: 1}, URLs(urls...), sink)
		if !errors.Is(err, ErrStopped) || time.Since(begin) != 5*time.Second {
			t.Errorf("%v after %v, want ErrStopped after 5s", err, time.Since(begin))
		}
		if got := sink.byID(); len(got) != 2 || counts.OK != 2 || counts.Left() != 5 {
			t.Errorf("%d records, %+v; want 2, and 5 left without a record", len(got), counts)
		}
	})
}

// What fails while the run stops may be tried again by the next run, so it must have no final record.
func TestNothingFailsBecauseOfAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		sink := &collector{t: t}
		urls := []string{"http://a.test/slow-headers?for=2s", "http://b.test/stall?heal=1", "http://c.test/status/404", "http://d.test/status/503?heal=1&after=5"}
		counts, err := Run(t.Context(), Config{Transport: net.transport, Stop: stop, Stall: 3 * time.Second}, URLs(urls...), sink)
		got := sink.byID()
		if !errors.Is(err, ErrStopped) || len(got) != 2 || got[urls[0]] == nil || got[urls[2]] == nil || counts.Left() != 2 {
			t.Errorf("%v, %+v, records of %v", err, counts, got)
		}
	})
}

func TestTheEndOfTheContextAbandonsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		gone := errors.New("caller has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { cancel(gone) })
		sink := &collector{t: t}
		begin := time.Now()
		counts, err := Run(ctx, Config{Transport: net.transport, PerHost: 5}, URLs(slow(50, "1s")...), sink)
		if !errors.Is(err, gone) || time.Since(begin) != 1500*time.Millisecond {
			t.Errorf("%v after %v, want the caller's cause after 1.5s", err, time.Since(begin))
		}
		if got := sink.byID(); len(got) != 5 || counts.OK != 5 || counts.Failed != 0 {
			t.Errorf("%d records, %+v; want the 5 that had ended", len(got), counts)
		}
	})
}

// A source that never yields again must not keep Run from stopping.
func TestStopWhileTheSourceWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		stop := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(stop) })
		src := func(ctx context.Context) iter.Seq2[Item, error] {
			return func(yield func(Item, error) bool) {
				if yield(Item{URL: "http://a.test/ok"}, nil) {
					<-ctx.Done()
				}
			}
		}
		sink := &collector{t: t}
		counts, err := Run(t.Context(), Config{Transport: net.transport, Stop: stop}, src, sink)
		if !errors.Is(err, ErrStopped) || counts.OK != 1 || len(sink.byID()) != 1 {
			t.Errorf("%v, %+v", err, counts)
		}
	})
}

// A terminal where nobody types blocks its reader for ever.
func TestStopWhileTheInputBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		r, w := io.Pipe()
		stop := make(chan struct{})
		go func() {
			io.WriteString(w, "http://a.test/ok\n")
			time.Sleep(time.Minute)
			close(stop)
		}()
		counts, err := Run(t.Context(), Config{Transport: n.transport, Stop: stop}, Lines("terminal", r), &collector{t: t})
		// All that was read is done, but somebody might have typed more.
		if !errors.Is(err, ErrStopped) || counts.OK != 1 || counts.AllRead || counts.Left() != 0 {
			t.Errorf("%v, %+v", err, counts)
		}
		w.Close() // frees the goroutine that Lines admits to
	})
}

// Ctrl-C when the last requests are under way: they end well within the grace, and the run is complete.
func TestAStopThatComesTooLateChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		stop := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { close(stop) })
		counts, err := Run(t.Context(), Config{Transport: n.transport, Stop: stop}, URLs(slow(5, "1s")...), &collector{t: t})
		if err != nil || counts.OK != 5 || !counts.AllRead {
			t.Errorf("%+v, %v; want all 5 and no error", counts, err)
		}
	})
}

// Ctrl-C twice in quick succession, at any moment: Run returns, and nothing is started after the stop.
func TestStopAndCancelTogether(t *testing.T) {
	for i := range 300 {
		synctest.Test(t, func(t *testing.T) {
			n := inMemory(t, 1)
			stop := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			at := time.Duration(i) * 7 * time.Millisecond
			time.AfterFunc(at, func() { close(stop) })
			time.AfterFunc(at+time.Duration(i%3), cancel)
			_, err := Run(ctx, Config{Transport: n.transport, Stop: stop, Concurrency: 3}, URLs(slow(20, "100ms")...), &collector{t: t})
			if err != nil && !errors.Is(err, ErrStopped) && !errors.Is(err, context.Canceled) {
				t.Errorf("at %v: %v", at, err)
			}
		})
	}
}

// The sink stops the run while it takes a record, that is between two steps of the loop: the place that became free stays free.
func TestNothingStartsAfterAStop(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			n := inMemory(t, 1)
			sink := &stopper{collector: collector{t: t}, stop: make(chan struct{})}
			counts, err := Run(t.Context(), Config{Transport: n.transport, Stop: sink.stop, Concurrency: 2}, URLs(slow(20, "1s")...), sink)
			if got := n.Stats().Requests; !errors.Is(err, ErrStopped) || got != 2 || counts.OK != 2 {
				t.Fatalf("%v, %d requests, %+v; want the 2 that ran", err, got, counts)
			}
		})
	}
}

type stopper struct {
	collector
	stop chan struct{}
}

func (s *stopper) Write(r *Record) error {
	if len(s.records) == 0 {
		close(s.stop)
	}
	return s.collector.Write(r)
}

// outage makes every dial fail until it is over.
func (n network) outage(d time.Duration, err error) {
	over := time.Now().Add(d)
	n.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if time.Now().Before(over) {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		return n.Server.DialContext(ctx, network, addr)
	}
}

func TestAnOutageBurnsNoAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		net.outage(100*time.Second, syscall.ECONNREFUSED)
		var urls []string
		for i := range 300 {
			urls = append(urls, fmt.Sprintf("http://a.test/ok/%d", i))
		}
		begin := time.Now()
		for u, r := range net.fetch(t, Config{}, urls...) {
			if !r.OK {
				t.Fatalf("%s: %v", u, r.Error)
			}
		}
		if took := time.Since(begin); took < 100*time.Second || took > 140*time.Second {
			t.Errorf("took %v for an outage of 100s", took)
		}
	})
}

func TestAHostThatStaysDownCostsEachURLItsOwnAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		net.outage(24*time.Hour, syscall.ECONNREFUSED)
		var urls []string
		for i := range 300 {
			urls = append(urls, fmt.Sprintf("http://a.test/ok/%d", i))
		}
		begin := time.Now()
		probes := 0
		for u, r := range net.fetch(t, Config{}, urls...) {
			probes += len(r.Attempts) - 5
			if r.OK || r.Error.Kind != KindRefused || !r.Error.Retryable || len(r.Attempts) < 5 || r.Status != 0 {
				t.Fatalf("%s: %+v", u, r)
			}
		}
		if took := time.Since(begin); took < 2*time.Minute || took > 4*time.Minute {
			t.Errorf("took %v with a patience of 2m", took)
		}
		if probes < 4 || probes > 10 {
			t.Errorf("%d attempts were probes", probes)
		}
	})
}

// A host that came back after the patience with it was over is treated like any other again.
func TestAHostThatCameBackIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		begin := time.Now()
		n.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if d := time.Since(begin); d < 5*time.Minute || d > 10*time.Minute && d < 11*time.Minute {
				return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
			}
			return n.Server.DialContext(ctx, network, addr)
		}
		n.transport.IdleConnTimeout = time.Second
		src := func(ctx context.Context) iter.Seq2[Item, error] {
			return func(yield func(Item, error) bool) {
				for _, at := range []time.Duration{0, 6 * time.Minute, 10*time.Minute + time.Second} {
					time.Sleep(at - time.Since(begin))
					for i := range 100 {
						it := Item{ID: fmt.Sprintf("%v/%d", at, i), URL: fmt.Sprintf("http://a.test/ok/%d", i)}
						if !yield(it, nil) {
							return
						}
					}
				}
			}
		}
		counts, err := Run(t.Context(), Config{Transport: n.transport}, src, &collector{t: t})
		if err != nil || counts.OK != 200 || counts.Failed != 100 {
			t.Errorf("%+v, %v; want only the 100 of the first outage, which outlasted the patience, to fail", counts, err)
		}
	})
}

// One dead host among many must cost the others nothing.
func TestOneDeadHostOfHalfTheListDoesNotSlowTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		n.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == "dead.test:80" { // swallows packets: a dial hangs
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return n.Server.DialContext(ctx, network, addr)
		}
		var urls []string
		for i := range 1000 {
			urls = append(urls, fmt.Sprintf("http://dead.test/ok/%d", i), fmt.Sprintf("http://live%d.test/ok/%d", i%50, i))
		}
		sink := &collector{t: t}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		counts, err := Run(ctx, Config{Transport: n.transport, Concurrency: 16}, URLs(urls...), sink)
		if !errors.Is(err, context.DeadlineExceeded) || counts.OK != 1000 {
			t.Errorf("within 10s %+v, %v; want the 1000 of the live hosts", counts, err)
		}
	})
}

// A request that was started, but not yet sent, when its host asked to be left alone: it is put back as if it had never been started.
func TestARequestThatFindsItsHostHeldIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		f := newRun(Config{Transport: n.transport}.withDefaults(), &collector{t: t})
		it := Item{URL: "http://a.test/ok"}
		if err := f.accept(arrival{item: it}, true); err != nil {
			t.Fatal(err)
		}
		h := f.hosts["a.test:80"]
		tk := h.queue.pop()
		tk.next, _ = it.request(it.URL, nil)
		f.running, h.running = 1, 1
		h.held.extend(clock.Now().Add(time.Second))

		l := &leg{task: tk, host: h, req: tk.next}
		f.exchange(t.Context(), l)
		if got := n.Stats().Requests; got != 0 || !l.unsent {
			t.Fatalf("%d requests were sent, unsent is %v", got, l.unsent)
		}
		if err := f.end(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if f.running != 0 || h.running != 0 || h.queue.len != 1 || len(tk.attempts) != 0 || f.pending != 1 {
			t.Errorf("after it: %d run, %d at the host, %d queued, %d attempts, %d pending", f.running, h.running, h.queue.len, len(tk.attempts), f.pending)
		}
		if _, ok, again := f.admit(h, clock.Now()); ok || again != h.held.until() {
			t.Errorf("admitted %v, again at %v; want no, and the end of the hold", ok, again)
		}
	})
}

// The second Ctrl-C has its cause also after the grace of the first, while a request lingers that heeds no context.
func TestTheCauseOfTheContextIsReturnedAlsoAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		time.AfterFunc(4*time.Second, func() { cancel(gone) })
		w := new(counter).serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			time.Sleep(map[string]time.Duration{"a.test": 5 * time.Second, "b.test": 6 * time.Second}[r.URL.Host])
			return nil, errors.New("too late")
		})
		_, err := Run(ctx, Config{Transport: w, Stop: stop, Grace: time.Second}, URLs("http://a.test/", "http://b.test/"), &collector{t: t})
		if !errors.Is(err, gone) {
			t.Errorf("the run ended with %v", err)
		}
	})
}

// A panic of the Transport when the grace is over ends the run, though no result comes of its request.
func TestPanicAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			time.Sleep(time.Second)
			panic("no answer")
		})
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		_, err := Run(t.Context(), Config{Transport: w, Stop: stop, Timeout: time.Hour}, URLs("http://a.test/"), &collector{t: t})
		if p, ok := errors.AsType[*group.PanicError](err); !ok || p.Value != "no answer" {
			t.Errorf("ended with %v", err)
		}
	})
}
