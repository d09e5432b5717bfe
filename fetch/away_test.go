package fetch

import (
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A census is a sink that only counts, and notes when the last record of the live hosts came.
type census struct {
	t          *testing.T
	begin      time.Time
	live, dead int
	lastLive   time.Duration
}

func (c *census) Flush() error { return nil }

func (c *census) Write(r *Record) error {
	if strings.Contains(r.URL, "dead") {
		if c.dead++; r.OK {
			c.t.Errorf("%s is ok", r.URL)
		}
		return nil
	}
	if c.live++; !r.OK {
		c.t.Errorf("%s: %v", r.URL, r.Error)
	}
	c.lastLive = time.Since(c.begin)
	return nil
}

// list yields n items by number.
func list(n int, url func(i int) string) Source {
	return func(context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for i := range n {
				if !yield(Item{URL: url(i)}, nil) {
					return
				}
			}
		}
	}
}

// halfDead is a network on which hosts with "dead" in their names refuse, and the others take a hundredth of a second.
func halfDead(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Host, "dead") {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	time.Sleep(10 * time.Millisecond)
	return answer(r, 200, "ok"), nil
}

func TestADeadHostOfHalfAHugeListDoesNotSlowTheRest(t *testing.T) {
	for name, url := range map[string]func(i int) string{
		"every second URL": func(i int) string {
			if i%2 == 0 {
				return fmt.Sprintf("http://dead.test/%d", i)
			}
			return fmt.Sprintf("http://live%d.test/%d", i%100, i)
		},
		"the first three quarters": func(i int) string {
			if i < 18_000 {
				return fmt.Sprintf("http://dead.test/%d", i)
			}
			return fmt.Sprintf("http://live%d.test/%d", i%100, i)
		},
		"half of the hosts": func(i int) string { return fmt.Sprintf("http://%s%d.test/%d", []string{"dead", "live"}[i%2], i%100, i) },
	} {
		synctest.Test(t, func(t *testing.T) {
			const n = 24_000
			c := &census{t: t, begin: time.Now()}
			counts, err := Run(t.Context(), Config{Transport: wire(halfDead), Window: 2000, Attempts: 2, Patience: time.Minute}, list(n, url), c)
			if err != nil || counts.Done() != n || c.live+c.dead != n || counts.Waiting != 0 {
				t.Fatalf("%s: %v, %+v", name, err, counts)
			}
			// At 64 a time 6,400 a second.
			if ideal := time.Duration(c.live) * 10 * time.Millisecond / 64; c.lastLive > 2*ideal+time.Second {
				t.Errorf("%s: the %d live ones took %v, want about %v", name, c.live, c.lastLive, ideal)
			}
			if took := time.Since(c.begin); took > 5*time.Minute {
				t.Errorf("%s: took %v", name, took)
			}
		})
	}
}

// What waits in the file is in order, and behind what waits in memory.
func TestItemsOfAHostKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		last := make(map[string]int)
		w := wire(func(r *http.Request) (*http.Response, error) {
			var n int
			fmt.Sscanf(r.URL.Path, "/%d", &n)
			mu.Lock()
			if n <= last[r.URL.Host] {
				t.Errorf("%s came after number %d", r.URL, last[r.URL.Host])
			}
			last[r.URL.Host] = n
			mu.Unlock()
			time.Sleep(time.Millisecond)
			return answer(r, 200, "ok"), nil
		})
		const n = 20_000
		c := &census{t: t, begin: time.Now()}
		counts, err := Run(t.Context(), Config{Transport: w, Window: 1000, PerHost: 1}, list(n, func(i int) string {
			return fmt.Sprintf("http://slow%d.test/%d", i%20, i+1)
		}), c)
		if err != nil || counts.OK != n {
			t.Errorf("%v, %+v", err, counts)
		}
	})
}

// A list of one slow host is not read to its end just because there might be another.
func TestTheFileIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return answer(r, 200, "ok"), nil
		})
		var m Meter
		stop := make(chan struct{})
		time.AfterFunc(time.Minute, func() { close(stop) })
		Run(t.Context(), Config{Transport: w, Window: 100, Meter: &m, Stop: stop}, list(1_000_000, func(i int) string { return fmt.Sprintf("http://a.test/%d", i) }), &census{t: t})
		if c := m.Counts(); c.Read < 1000 || c.Read > 2000 || c.OK < 480 {
			t.Errorf("%+v; want about ten windows read ahead", c)
		}
	})
}

func TestAStopLeavesWhatIsInTheFileToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		time.AfterFunc(5*time.Second, func() { close(stop) })
		c := &census{t: t, begin: time.Now()}
		counts, err := Run(t.Context(), Config{Transport: wire(halfDead), Window: 1000, Stop: stop}, list(20_000, func(i int) string {
			return fmt.Sprintf("http://%s.test/%d", []string{"dead", "live"}[i%2], i)
		}), c)
		if err != ErrStopped || counts.Left() < 5000 || counts.Done() != int64(c.live+c.dead) {
			t.Errorf("%v, %+v, %d records", err, counts, c.live+c.dead)
		}
	})
}

// Very many hosts, of which a tenth are dead, in little memory.
func TestVeryManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		c := &census{t: t, begin: time.Now()}
		most := uint64(0)
		done := make(chan struct{})
		go func() {
			for {
				select {
				case <-time.After(5 * time.Second):
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					most = max(most, m.HeapAlloc)
				case <-done:
					return
				}
			}
		}()
		counts, err := Run(t.Context(), Config{Transport: wire(halfDead), Window: 10_000, Attempts: 2, Backoff: time.Millisecond}, list(n, func(i int) string {
			host := i % 50_000
			return fmt.Sprintf("http://%s%d.test/%d", []string{"live", "dead"}[(host%10)/9], host, i)
		}), c)
		close(done)
		synctest.Wait()
		if err != nil || counts.OK != n*9/10 || counts.Failed != n/10 {
			t.Errorf("%v, %+v", err, counts)
		}
		if took := time.Since(c.begin); took > 2*time.Minute {
			t.Errorf("took %v", took)
		}
		t.Logf("%v, %d MB", time.Since(c.begin), most>>20)
	})
}

// What waits in the file for a host is fetched also when the items in memory that it waited behind all go over to mirrors.
func TestItemsInTheFileAreFetchedWhenThoseBeforeThemLeaveTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var items []Item
		for i := range 350 {
			items = append(items, Item{URL: fmt.Sprintf("http://a.test/%d", i)})
			if i >= 20 && i < 50 {
				items[i].Mirrors = []string{fmt.Sprintf("http://b.test/%d", i)}
			}
		}
		// Each with a mirror fails once at both, the last one so that a.test is on hold when the others look where to go next.
		c := new(counter)
		w := c.serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			time.Sleep(10 * time.Millisecond)
			var i int
			fmt.Sscanf(r.URL.Path, "/%d", &i)
			switch {
			case n > 1 || i < 20 || i >= 50:
				return answer(r, 200, "x"), nil
			case i == 49 && r.URL.Host == "a.test":
				return answer(r, 503, "", "Retry-After", "7200"), nil
			}
			return answer(r, 408, ""), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Hour)
		defer cancel()
		sink := &collector{t: t}
		counts, err := Run(ctx, Config{Transport: w, PerHost: 1, Window: 60, Backoff: time.Hour, MaxBackoff: time.Hour, MaxHint: 3 * time.Hour}, Items(items...), sink)
		if err != nil || counts.Left() != 0 || len(sink.byID()) != len(items) {
			t.Errorf("%v: %+v", err, counts)
		}
	})
}

// A window of any size is one: its products must not overflow.
func TestTheLargestWindowLetsItemsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := new(counter).serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			return answer(r, 200, "x"), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		counts, err := Run(ctx, Config{Transport: w, Window: mostItems}, URLs(many(300, "http://a.test/%d")...), &collector{t: t})
		if err != nil {
			t.Errorf("%v: %+v", err, counts)
		}
	})
}
