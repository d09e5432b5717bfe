package fetch

import (
	"fmt"
	"math"
	"net/http"
	"time"
	"unicode/utf8"
)

// Config says how to fetch. The zero Config is safe for production.
type Config struct {
	// Concurrency is how many requests run at a time, over all hosts: at most a million. 0 means 64.
	Concurrency int
	// PerHost is how many requests run at a time to one host (a name and port): at most a million. 0 means 8.
	PerHost int
	// Rate is how many requests may begin in a second, over all hosts, and HostRate how many to one host, spaced evenly. Each attempt counts,
	// and each redirect that is followed. 0 means no limit but the other ones. Starts may be 10 ms off their place, but never closer in the long run.
	Rate, HostRate float64
	// Attempts is how many times a URL is requested at most; up to a million are possible. 0 means 5; 1 means no retry.
	Attempts int
	// Timeout bounds one attempt, its body included; where redirects lead to other hosts, its part at each of them. 0 means
	// 30 s.
	Timeout time.Duration
	// Stall bounds how long a body may bring no byte. 0 means 15 s.
	Stall time.Duration
	// Backoff and MaxBackoff bound how long a URL waits between its attempts: up to Backoff after the first, up to twice as
	// long each time, at most MaxBackoff, with full jitter. 0 means 500 ms and 30 s.
	Backoff, MaxBackoff time.Duration
	// MaxHint is the longest wait that a server may ask for by Retry-After. A longer one fails the URL. 0 means 5 min.
	MaxHint time.Duration
	// Park and MaxPark bound for how long a host is left alone when its requests fail one after the other: Park at
	// first, then twice as long each time up to MaxPark; the same where they are answered 429 one after the other. 0 means 1 s and 30 s.
	Park, MaxPark time.Duration
	// Patience is for how long the URLs of a host that stays down wait for it. After that they are tried as if each
	// were alone, until a request to the host succeeds. 0 means 2 min.
	Patience time.Duration
	// Window is how many URLs may be in memory, waiting or running. When so many wait for hosts that are slow or down while there is
	// room for more requests, those of them that were not tried yet go to a temporary file, so that the others are found. At most
	// a hundred million, which take about 50 GB. 0 means 100,000, which take about 50 MB.
	Window int
	// Dir is the directory to save bodies in. Empty means that they are read and checked, but not kept. See "Saving bodies" in the
	// package's documentation.
	Dir string
	// MaxSize is how many bytes a body may have. A larger one fails its URL. 0 means any number.
	MaxSize int64
	// Hedge is after how long without the header of an answer a second request is sent for a GET or HEAD; see "Hedging" in the package's
	// documentation. 0 means never.
	Hedge time.Duration
	// Header is sent with every request. A header of an Item goes before it. Nil means none.
	Header http.Header
	// Transport makes the requests. Nil means one made for many hosts, of HTTP/1.1 and HTTP/2, that honors the proxy
	// environment variables. It must not decompress bodies.
	Transport http.RoundTripper
	// MaxFailures ends the run with its n-th failure, and MaxFailureShare when more than that share of its results, of which there must be 100, are
	// failures; a shorter run is judged at its end. What earlier runs left in a Journal does not count. 0 means any number.
	MaxFailures     int
	MaxFailureShare float64
	// MaxTime is how long the run may start requests. What runs then may end within Grace. 0 means any time.
	MaxTime time.Duration
	// Stop, when closed, ends the run gracefully: nothing is started any more, what runs may end within Grace. Nil means
	// never.
	Stop <-chan struct{}
	// Grace is how long running requests may go on when the run ends early. 0 means 10 s.
	Grace time.Duration
	// Meter counts what happens while it happens. Nil means that nobody looks.
	Meter *Meter
}

// What is beyond these bounds is a slip, and would end in a crash for want of memory.
const (
	mostSockets  = 1_000_000   // about as many files as Linux lets a process open
	mostAttempts = 1_000_000   // whose list fits the longest line that a Journal reads
	mostItems    = 100_000_000 // in memory
)

// Validate returns nil if Run accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	for _, f := range []struct {
		name    string
		n, most int
	}{
		{"Concurrency", c.Concurrency, mostSockets}, {"PerHost", c.PerHost, mostSockets},
		{"Attempts", c.Attempts, mostAttempts}, {"Window", c.Window, mostItems},
	} {
		if f.n < 0 || f.n > f.most {
			return fmt.Errorf("fetch: Config.%s is %d, want 0 to %d", f.name, f.n, f.most)
		}
	}
	if c.MaxFailures < 0 {
		return fmt.Errorf("fetch: Config.MaxFailures is %d, want 0 or more", c.MaxFailures)
	}
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"Hedge", c.Hedge}, {"Timeout", c.Timeout}, {"Stall", c.Stall}, {"MaxHint", c.MaxHint}, {"Park", c.Park}, {"MaxPark", c.MaxPark},
		{"Patience", c.Patience}, {"Grace", c.Grace}, {"Backoff", c.Backoff}, {"MaxBackoff", c.MaxBackoff},
		{"MaxTime", c.MaxTime},
	} {
		if f.d < 0 {
			return fmt.Errorf("fetch: Config.%s is %v, want 0 or more", f.name, f.d)
		}
	}
	if c.MaxSize < 0 {
		return fmt.Errorf("fetch: Config.MaxSize is %d, want 0 or more", c.MaxSize)
	}
	if !utf8.ValidString(c.Dir) {
		return fmt.Errorf("fetch: Config.Dir is %q, want UTF-8: records name it in JSON", c.Dir)
	}
	for _, f := range []struct {
		name string
		x    float64
	}{{"Rate", c.Rate}, {"HostRate", c.HostRate}} {
		if !(f.x >= 0) || math.IsInf(f.x, 1) {
			return fmt.Errorf("fetch: Config.%s is %v, want 0 or more requests a second", f.name, f.x)
		}
	}
	if !(c.MaxFailureShare >= 0 && c.MaxFailureShare <= 1) {
		return fmt.Errorf("fetch: Config.MaxFailureShare is %v, want 0 to 1", c.MaxFailureShare)
	}
	d := c.withDefaults()
	if d.MaxPark < d.Park {
		return fmt.Errorf("fetch: Config.MaxPark is %v, want at least Park, which is %v", d.MaxPark, d.Park)
	}
	if d.MaxBackoff < d.Backoff {
		return fmt.Errorf("fetch: Config.MaxBackoff is %v, want at least Backoff, which is %v", d.MaxBackoff, d.Backoff)
	}
	return nil
}

func (c Config) withDefaults() Config {
	or(&c.Concurrency, 64)
	or(&c.PerHost, 8)
	or(&c.Attempts, 5)
	or(&c.Window, 100_000)
	or(&c.Timeout, 30*time.Second)
	or(&c.Stall, 15*time.Second)
	or(&c.MaxHint, 5*time.Minute)
	or(&c.Park, time.Second)
	or(&c.MaxPark, max(30*time.Second, c.Park))
	or(&c.Backoff, 500*time.Millisecond)
	or(&c.MaxBackoff, max(30*time.Second, c.Backoff))
	or(&c.Patience, 2*time.Minute)
	or(&c.Grace, 10*time.Second)
	if c.Meter == nil {
		c.Meter = new(Meter)
	}
	return c
}

func or[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}
