package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// Whatever happens: between two answers there is one probe at a time, the first one the wait after the outage was noticed, the others at growing distances; and
// everything is admitted when there is no outage, or no hope.
func FuzzOutage(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		b := make([]byte, 300)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, begin := range []clock.Instant{0, -1 << 59} {
			o := outage{park: time.Second, most: 8 * time.Second, patience: time.Minute}
			now := begin
			var failed []string // hosts since the last answer
			var noticed, lastProbe clock.Instant
			probing, wait := false, time.Duration(0)
			for i, b := range data {
				now = now.Add(time.Duration(b>>5) * 300 * time.Millisecond)
				down := len(failed) >= 5
				lost := down && now.Sub(noticed) >= time.Minute
				switch b & 3 {
				case 0:
					if b>>2&7 == 0 { // a rare thing
						o.answered()
						failed, probing = nil, false
					}
				case 1:
					host := fmt.Sprint(b >> 2 & 7)
					o.failed(host, now)
					if !slices.Contains(failed, host) {
						if failed = append(failed, host); len(failed) == 5 {
							noticed, lastProbe, wait, probing = now, now, time.Second, false
						}
					}
				case 2:
					ok, again := o.admits(now)
					want := !down || lost || !probing && now >= lastProbe.Add(wait)
					if ok != want || !ok && again <= now {
						t.Fatalf("step %d: admitted %v, want %v; again in %v", i, ok, want, again.Sub(now))
					}
					if ok {
						if probe := o.begin(now); probe != (down && !lost) {
							t.Fatalf("step %d: a probe: %v", i, probe)
						}
						probing = down && !lost
					}
				case 3:
					if o.probed(now); probing {
						probing, lastProbe, wait = false, now, min(2*wait, 8*time.Second)
					}
				}
				if o.down != (len(failed) >= 5) {
					t.Fatalf("step %d: down is %v after %v", i, o.down, failed)
				}
			}
		}
	})
}

var offline = []error{
	&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)},
	&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)},
	&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ENETDOWN)},
	&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)},
	&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", syscall.EMFILE)},
	&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded},
	&net.OpError{Op: "proxyconnect", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
	&net.DNSError{Err: "server misbehaving", IsTemporary: true},
	&net.DNSError{Err: "i/o timeout", IsTimeout: true},
}

// down makes a wire that is an outage between two times and answers otherwise.
func (c *counter) down(from, to time.Duration, err error) wire {
	return c.serve(func(r *http.Request, _ int, at time.Duration) (*http.Response, error) {
		time.Sleep(10 * time.Millisecond)
		if at >= from && at < to {
			return nil, err
		}
		return answer(r, 200, "ok"), nil
	})
}

func TestWhileOurNetworkIsDownNoAttemptIsUsedUp(t *testing.T) {
	for _, err := range offline {
		synctest.Test(t, func(t *testing.T) {
			var c counter
			w := c.down(time.Second, 61*time.Second, err)
			for u, r := range fetchAll(t, Config{Attempts: 2}, w, many(8000, "http://host%d.test/")...) {
				if !r.OK {
					t.Fatalf("%v: %s: %v after %d attempts", err, u, r.Error, len(r.Attempts))
				}
			}
			var during []time.Duration
			var hosts []string
			for host, asked := range c.asked {
				for _, at := range asked {
					if at > 1100*time.Millisecond && at < 61*time.Second {
						during, hosts = append(during, at), append(hosts, host)
					}
				}
			}
			slices.Sort(during)
			slices.Sort(hosts)
			if n := len(during); n < 5 || n > 7 || len(slices.Compact(hosts)) != n {
				t.Errorf("%v: %d probes at %v to %v; want one after 1s, 2s, 4s and so on, each to another host", err, n, during, hosts)
			}
		})
	}
}

// The runs above had time to spare; here the first failures would be final.
func TestFailuresBeforeTheOutageWasNoticedAreForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		broken := 0
		w := c.serve(func(r *http.Request, _ int, at time.Duration) (*http.Response, error) {
			host := r.URL.Host[0] - 'a'
			time.Sleep(time.Duration(host) * 10 * time.Millisecond) // one after the other
			if at < 10*time.Second {
				return nil, offline[0]
			}
			if host == 0 && broken < 3 {
				broken++
				return answer(r, 500, ""), nil
			}
			return answer(r, 200, "ok"), nil
		})
		got := fetchAll(t, Config{Attempts: 4, Backoff: time.Second}, w, "http://a.test/", "http://b.test/", "http://c.test/", "http://d.test/", "http://i.test/")
		for u, r := range got {
			if !r.OK {
				t.Errorf("%s: %v after %d attempts", u, r.Error, len(r.Attempts))
			}
		}
	})
}

func TestTheRunSaysThatTheNetworkIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		var m Meter
		w := c.down(0, 30*time.Second, offline[0])
		var seen []string
		go func() {
			for range 40 {
				time.Sleep(time.Second)
				seen = append(seen, fmt.Sprint(m.Counts().Offline))
			}
		}()
		fetchAll(t, Config{Meter: &m}, w, many(100, "http://host%d.test/")...)
		time.Sleep(time.Minute)
		synctest.Wait()
		got := strings.Join(slices.Compact(slices.Clone(seen)), " ")
		if got != "true false" || seen[25] != "true" {
			t.Errorf("Offline was %s", got)
		}
	})
}

func TestAnOutageThatOutlastsThePatienceCostsAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.down(0, 24*time.Hour, offline[0])
		for u, r := range fetchAll(t, Config{}, w, many(300, "http://host%d.test/")...) {
			if r.OK || r.Error.Kind != KindRefused || !r.Error.Retryable || len(r.Attempts) < 5 || len(r.Attempts) > 8 {
				t.Fatalf("%s: %d attempts, %v", u, len(r.Attempts), r.Error)
			}
		}
		if took := time.Since(c.begin); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("took %v with a patience of 2m", took)
		}
	})
}

// Many names that do not exist, or hosts that refuse, are what lists are like.
func TestDeadHostsAreNoOutage(t *testing.T) {
	for kind, err := range map[Kind]error{
		KindDNS:     &net.DNSError{Err: "no such host", IsNotFound: true},
		KindRefused: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		KindReset:   io.EOF,
	} {
		synctest.Test(t, func(t *testing.T) {
			var c counter
			w := c.down(0, time.Hour, err)
			for u, r := range fetchAll(t, Config{}, w, many(300, "http://host%d.test/")...) {
				want := 5
				if kind == KindDNS {
					want = 1
				}
				if r.OK || r.Error.Kind != kind || len(r.Attempts) != want {
					t.Fatalf("%s: %d attempts, %v, want %d", u, len(r.Attempts), r.Error, want)
				}
			}
			if took := time.Since(c.begin); took > 30*time.Second {
				t.Errorf("%s: took %v", kind, took)
			}
		})
	}
}

// As long as one host in a while answers, it is the others that are dead.
func TestAnAnswerBetweenMeansThatTheNetworkIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, _ int, _ time.Duration) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Host, "dead") {
				return nil, offline[0]
			}
			return answer(r, 404, ""), nil
		})
		var urls []string
		for i := range 300 {
			urls = append(urls, fmt.Sprintf("http://dead%d.test/", i))
			if i%4 == 3 {
				urls = append(urls, fmt.Sprintf("http://live%d.test/", i))
			}
		}
		got := fetchAll(t, Config{Concurrency: 1, Attempts: 1}, w, urls...)
		if took := time.Since(c.begin); took != 0 || len(got[urls[0]].Attempts) != 1 {
			t.Errorf("took %v, %d attempts; want no pause", took, len(got[urls[0]].Attempts))
		}
	})
}

// That this machine has no descriptors left is never a host's fault, and passes.
func TestExhaustedDescriptorsUseUpNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.down(0, time.Minute, offline[4])
		r := fetchAll(t, Config{Attempts: 1}, w, "http://a.test/")["http://a.test/"]
		if !r.OK || len(r.Attempts) < 3 {
			t.Errorf("%v after %d attempts", r.Error, len(r.Attempts))
		}
		w = c.down(0, time.Hour, offline[4])
		r = fetchAll(t, Config{Attempts: 1}, w, "http://a.test/")["http://a.test/"]
		if took := time.Since(c.begin); r.OK || took < 2*time.Minute || took > 4*time.Minute {
			t.Errorf("%v after %v, want a failure after the patience of 2m", r.Error, took)
		}
	})
}

// Packets that vanish: the attempt's own time is over before the dialer's.
func TestTimeoutsWhileConnectingAreASign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := inMemory(t, 1)
		over := time.Now().Add(time.Minute)
		n.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if time.Now().Before(over) {
				<-ctx.Done()
				return nil, context.Cause(ctx)
			}
			return n.Server.DialContext(ctx, network, addr)
		}
		var urls []string
		for i := range 30 {
			urls = append(urls, fmt.Sprintf("http://host%d.test/ok", i))
		}
		var m Meter
		down := false
		time.AfterFunc(50*time.Second, func() { down = m.Counts().Offline })
		for u, r := range n.fetch(t, Config{Timeout: 3 * time.Second, Attempts: 2, Meter: &m}, urls...) {
			if !r.OK {
				t.Errorf("%s: %v after %d attempts", u, r.Error, len(r.Attempts))
			}
		}
		synctest.Wait()
		if !down {
			t.Error("nobody noticed the outage")
		}
	})
}

func TestCutOff(t *testing.T) {
	for _, err := range offline {
		if l := (&leg{err: err}); !l.cutOff() || l.reached() {
			t.Errorf("%v: no sign", err)
		}
		if l := (&leg{err: err, status: 200}); l.cutOff() || !l.reached() {
			t.Errorf("%v after an answer: a sign", err)
		}
	}
	if l := (&leg{err: errors.New("anything")}); l.cutOff() || l.reached() {
		t.Error("an unknown error says something")
	}
}
