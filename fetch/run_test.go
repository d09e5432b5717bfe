package fetch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// collector is a Sink that keeps everything, and checks that Run keeps its promises to sinks.
type collector struct {
	t       *testing.T
	mu      sync.Mutex
	records []*Record
	flushed int
}

func (c *collector) Write(r *Record) error {
	if !c.mu.TryLock() {
		c.t.Error("Write while another call of the sink runs")
		return nil
	}
	defer c.mu.Unlock()
	c.records = append(c.records, r)
	return nil
}

func (c *collector) Flush() error {
	c.flushed = len(c.records)
	return nil
}

// byID returns the records by id, and fails the test if an id has two or some were never flushed.
func (c *collector) byID() map[string]*Record {
	c.t.Helper()
	if c.flushed != len(c.records) {
		c.t.Errorf("flushed %d of %d records", c.flushed, len(c.records))
	}
	m := make(map[string]*Record)
	for _, r := range c.records {
		if m[r.ID] != nil {
			c.t.Errorf("%s has two records", r.ID)
		}
		m[r.ID] = r
	}
	return m
}

// network is a chaos server in memory and a transport on which every host name leads to it.
type network struct {
	*chaos.Server
	transport *http.Transport
}

// inMemory starts a network for the bubble of t.
func inMemory(t *testing.T, seed uint64) network {
	srv := chaos.New(chaos.Config{Seed: seed})
	srv.StartPipe()
	n := network{srv, &http.Transport{
		DialContext: srv.DialContext, DisableCompression: true, MaxIdleConnsPerHost: 8,
	}}
	t.Cleanup(func() {
		n.transport.CloseIdleConnections()
		srv.Close()
	})
	return n
}

func (n network) fetch(t *testing.T, c Config, urls ...string) map[string]*Record {
	t.Helper()
	c.Transport = n.transport
	sink := &collector{t: t}
	counts, err := Run(t.Context(), c, URLs(urls...), sink)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	got := sink.byID()
	if len(got) != len(urls) || counts.Read != int64(len(urls)) || counts.Left() != 0 || !counts.AllRead {
		t.Fatalf("%d records of %d URLs; %+v", len(got), len(urls), counts)
	}
	if counts.Running != 0 || counts.Waiting != 0 {
		t.Errorf("after the end %d run and %d wait", counts.Running, counts.Waiting)
	}
	return got
}

// Every fault, on several hosts, some of which hold everybody: what comes back must be what the server itself says can be had, and
// the account of the attempts must be the server's.
func TestHostileServerSeedBySeed(t *testing.T) {
	paths := []string{
		"/ok/%d?size=3000", "/ok/%d?size=0", "/status/404/%d", "/status/500/%d?heal=2", "/status/503/%d?heal=1&after=1",
		"/status/429/%d?heal=1&after=date:2", "/status/429/%d?heal=2&after=zero", "/status/503/%d?heal=1&after=past",
		"/status/503/%d?after=huge", "/status/503/%d?heal=1&after=junk", "/status/502/%d", "/reset/%d?heal=1", "/reset-body/%d?heal=2&size=9000", "/reset-body/%d?size=5000",
		"/short/%d?size=4096&heal=3", "/short/%d?size=100", "/cut-chunk/%d?size=7000&heal=1", "/cut-chunk/%d", "/slow-headers/%d?for=5s",
		"/slow-headers/%d", "/slow-headers/%d?heal=1", "/stall/%d?heal=1", "/stall/%d", "/drip/%d?for=4s", "/loop/%d", "/loop/%d?n=3",
		"/redirect/%d?n=3", "/redirect/%d?n=9", "/redirect/%d?n=12", "/hold/%d?for=3s", "/hold/%d?for=2s&code=503&form=date&every=4",
		"/nothing/%d", "/status/204/%d", "/status/304/%d", "/redirect/%d?to=http%%3A%%2F%%2Felsewhere.test%%2Fok%%2F%d",
	}
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			net := inMemory(t, seed)
			urls := []string{"http://host0.test/endless?heal=1"}
			for i := range 60 {
				// On hosts of their own: what they do to a kept connection costs whoever comes next an attempt.
				urls = append(urls, fmt.Sprintf("http://closing%d.test/idle-close/%d", i%5, i))
			}
			for i := range 8 {
				for n, p := range paths {
					n := i*len(paths) + n
					urls = append(urls, fmt.Sprintf("http://host%d.test"+p, append([]any{n % 7, n}, n)[:1+strings.Count(p, "%d")]...))
				}
			}
			got := net.fetch(t, Config{PerHost: 3, Patience: 20 * time.Second, Timeout: 6 * time.Second, Stall: 3 * time.Second}, urls...)
			for _, u := range urls {
				r := got[u]
				want, err := net.Expect(u, 5)
				if err != nil {
					t.Fatal(err)
				}
				holding := strings.Contains(u, "/hold/")
				if want.Gettable != r.OK && !holding {
					t.Errorf("%s: ok is %v after %+v (%v), want %v", u, r.OK, r.Attempts, r.Error, want.Gettable)
				}
				if r.OK && (r.SHA256 != want.SHA256 || r.Bytes != want.Bytes || !r.Complete) {
					t.Errorf("%s: called ok with %d bytes %s, want %d %s", u, r.Bytes, r.SHA256, want.Bytes, want.SHA256)
				}
				if n := net.Requests(u); n != int64(len(r.Attempts)) && !strings.Contains(u, "/loop/") {
					t.Errorf("%s: %d attempts in the record, %d on the server: %+v", u, len(r.Attempts), n, r.Attempts)
				}
			}
			if v := net.Stats().Violations; v != 0 {
				t.Errorf("%d requests broke a hold: %+v", v, net.Stats().Hosts)
			}
			net.transport.CloseIdleConnections() // which are the caller's
			synctest.Wait()
			if open := net.Stats().Open; open != 0 {
				t.Errorf("%d connections are left over", open)
			}
		})
	}
}

func TestAHoldConcernsItsHostOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		var urls []string
		urls = append(urls, "http://held.test/hold?for=60s")
		for i := range 200 {
			urls = append(urls, fmt.Sprintf("http://held.test/ok/%d", i), fmt.Sprintf("http://free.test/ok/%d", i))
		}
		begin := time.Now()
		got := net.fetch(t, Config{Concurrency: 4, PerHost: 4}, urls...)
		for u, r := range got {
			if !r.OK {
				t.Errorf("%s: %v", u, r.Error)
			}
			if end := r.Started.Add(time.Duration(r.ElapsedMS) * time.Millisecond); strings.Contains(u, "free") && end.Sub(begin) > 5*time.Second {
				t.Errorf("%s had to wait %v for another host", u, end.Sub(begin))
			}
		}
		if took := time.Since(begin); took < 60*time.Second || took > 70*time.Second {
			t.Errorf("took %v, want the hold of 60s and little more", took)
		}
		if s := net.Stats(); s.Violations != 0 || s.Hosts["held.test"].Requests > 210 {
			t.Errorf("the held host saw %+v", s.Hosts["held.test"])
		}
	})
}

func TestAHintLongerThanAllowedFailsOneURLAndHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		begin := time.Now()
		far, near := "http://a.test/status/503?after=301", "http://a.test/ok"
		got := net.fetch(t, Config{}, far, near)
		if e := got[far].Error; e == nil || e.Kind != KindHint || !strings.Contains(e.Message, "5m1s") || len(got[far].Attempts) != 1 {
			t.Errorf("the hint of 301s gives %v after %d attempts", e, len(got[far].Attempts))
		}
		if !got[near].OK || time.Since(begin) > time.Second {
			t.Errorf("the neighbor: %+v after %v", got[near], time.Since(begin))
		}
	})
}

func TestOneSlowHostDoesNotHoldUpTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		var urls []string
		for i := range 500 { // first in the list, so that they are first in every queue
			urls = append(urls, fmt.Sprintf("http://slow.test/slow-headers/%d?for=20s", i))
		}
		for i := range 300 {
			urls = append(urls, fmt.Sprintf("http://fast%d.test/ok", i))
		}
		begin := time.Now()
		got := net.fetch(t, Config{Concurrency: 10, PerHost: 5}, urls...)
		for u, r := range got {
			if !r.OK {
				t.Errorf("%s: %v", u, r.Error)
			}
			if strings.Contains(u, "fast") && r.Started.Sub(begin) > time.Second {
				t.Errorf("%s began only after %v", u, r.Started.Sub(begin))
			}
		}
		if h := net.Stats().Hosts["slow.test"]; h.Peak > 5 {
			t.Errorf("%d requests at a time to a host, want at most 5", h.Peak)
		}
	})
}

func TestTheWindowBoundsWhatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		var meter Meter
		var urls []string
		for i := range 1000 {
			urls = append(urls, fmt.Sprintf("http://a.test/slow-headers/%d?for=1s", i))
		}
		most := int64(0)
		go func() {
			for c := (Counts{}); !c.AllRead; c = meter.Counts() {
				most = max(most, c.Left())
				time.Sleep(50 * time.Millisecond)
			}
		}()
		net.fetch(t, Config{Window: 20, PerHost: 10, Meter: &meter}, urls...)
		synctest.Wait()
		if most > 20 || most < 15 {
			t.Errorf("%d items in memory at a time, want about the window of 20", most)
		}
	})
}

func TestUnparsableLinesBecomeRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		input := "# a comment\n\nhttp://a.test/ok\n  \nhtp://a.test/\n{\"url\":\"http://a.test/ok/2\",\"id\":\"two\"}\n{\"urk\":1}\nhttp://a.test/ok/3"
		sink := &collector{t: t}
		counts, err := Run(t.Context(), Config{Transport: net.transport}, Lines("list", strings.NewReader(input)), sink)
		got := sink.byID()
		if err != nil || counts.OK != 3 || counts.Failed != 2 || counts.Kinds[KindInvalid] != 2 {
			t.Fatalf("%+v, %v", counts, err)
		}
		if r := got["htp://a.test/"]; r == nil || r.Error.Kind != KindInvalid || r.Error.Message != `list line 5: url has the scheme "htp", want http or https` {
			t.Errorf("record of line 5: %+v", r)
		}
		if r := got[`{"urk":1}`]; r == nil || !strings.Contains(r.Error.Message, `list line 7: not an item: unknown field "urk"`) {
			t.Errorf("record of line 7: %+v", r)
		}
		if !got["two"].OK || !got["http://a.test/ok/3"].OK {
			t.Errorf("the run did not go on: %+v", got)
		}
	})
}

func TestAnInputThatBreaksOffIsAnErrorAfterTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		broken := errors.New("disk gone")
		r := &brokenReader{text: "http://a.test/ok/1\nhttp://a.test/ok/2\n", err: broken}
		sink := &collector{t: t}
		counts, err := Run(t.Context(), Config{Transport: net.transport}, Lines("list", r), sink)
		if !errors.Is(err, ErrRead) || !errors.Is(err, broken) || counts.OK != 2 {
			t.Errorf("%+v, %v; want 2 ok and ErrRead", counts, err)
		}
	})
}

type brokenReader struct {
	text string
	err  error
}

func (r *brokenReader) Read(p []byte) (int, error) {
	if r.text == "" {
		return 0, r.err
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

type fullSink struct {
	collector
	room int
	err  error
}

func (s *fullSink) Write(r *Record) error {
	if s.room--; s.room < 0 {
		return s.err
	}
	return s.collector.Write(r)
}

func TestASinkThatFailsEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := inMemory(t, 1)
		var urls []string
		for i := range 100 {
			urls = append(urls, fmt.Sprintf("http://a.test/slow-headers/%d?for=1s", i))
		}
		sink := &fullSink{collector: collector{t: t}, room: 10, err: errors.New("no space")}
		counts, err := Run(t.Context(), Config{Transport: net.transport}, URLs(urls...), sink)
		if !errors.Is(err, ErrWrite) || !errors.Is(err, sink.err) {
			t.Errorf("error is %v", err)
		}
		if counts.OK != 10 || len(sink.records) != 10 {
			t.Errorf("%+v with %d records", counts, len(sink.records))
		}
	})
}

func TestBadConfigIsLoud(t *testing.T) {
	for want, c := range map[string]Config{
		"fetch: Config.Concurrency is -1, want 0 to 1000000":                     {Concurrency: -1},
		"fetch: Config.Concurrency is 1000001, want 0 to 1000000":                {Concurrency: 1_000_001},
		"fetch: Config.PerHost is -2, want 0 to 1000000":                         {PerHost: -2},
		"fetch: Config.PerHost is 1000001, want 0 to 1000000":                    {PerHost: 1_000_001},
		"fetch: Config.Attempts is 1000001, want 0 to 1000000":                   {Attempts: 1_000_001},
		"fetch: Config.Window is 100000001, want 0 to 100000000":                 {Window: 100_000_001},
		"fetch: Config.MaxFailures is -1, want 0 or more":                        {MaxFailures: -1},
		"fetch: Config.Timeout is -1s, want 0 or more":                           {Timeout: -time.Second},
		"fetch: Config.MaxPark is 1ms, want at least Park, which is 1s":          {MaxPark: time.Millisecond},
		"fetch: Config.MaxBackoff is 1ms, want at least Backoff, which is 500ms": {MaxBackoff: time.Millisecond},
	} {
		if _, err := Run(context.Background(), c, URLs(), nil); err == nil || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// The largest of everything that is allowed overflows nothing.
func TestTheLargestConfigWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Config{
			Concurrency: mostSockets, PerHost: mostSockets, Attempts: mostAttempts, Window: mostItems, MaxFailures: math.MaxInt,
			Transport: inMemory(t, 1).transport,
		}
		counts, err := Run(t.Context(), c, URLs("http://a.test/ok", "http://a.test/status/500?heal=3"), &collector{t: t})
		if err != nil || counts.OK != 2 || counts.Attempts != 5 {
			t.Errorf("%v, %+v", err, counts)
		}
	})
}
