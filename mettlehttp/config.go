package mettlehttp

import (
	"cmp"
	"fmt"
	"net/http"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/retry"
)

// Config says what a Transport does beside sending requests. The zero Config is safe for production.
type Config struct {
	// Name tells the client in errors and events. It may be empty.
	Name string
	// Retry says when and how often to try again, for requests that may be sent again. The zero value means what package retry
	// says of its zero Config. Its Classify must be nil: that is Config.Classify here. Its rules see attempts that may be repeated, and Stop
	// rules all.
	Retry retry.Config
	// Host makes the policy around each attempt, one for each host and kept for all requests to it. The host is that of the URL in lower case,
	// with its port unless that is the scheme's own. It is called as Config.New of package keyed is, and must not return nil. Nil means a breaker
	// with the zero breaker.Config and Verdict as its Classify; mettle.Compose() is a policy that does nothing.
	Host func(host string) mettle.Policy
	// Timeout is how long an attempt may take until the headers of its answer have come, not counting the time in queues of the host's policy.
	// Reading the body is not bounded by it. 0 means no limit but that of the request's context and http.Client.Timeout.
	Timeout time.Duration
	// Hedge says when a safe request that is slow is sent a second time beside. The zero value, with neither Delay nor Quantile, means never. Its
	// Classify must be nil.
	Hedge hedge.Config
	// MaxHold is how long a request waits at most because its host asked, by an answer to another request, to be left alone; a longer wait is a
	// rejection with ErrHeld. 0 means as long as Retry.MaxHint; -1 means that nobody waits.
	MaxHold time.Duration
	// MaxBuffer is how many bytes of a request's body are remembered so that it can be sent again, where the request has no GetBody. 0 means 64 KiB.
	MaxBuffer int
	// Classify gives the verdict on an answer or on the error of an attempt; one of the two is nil. A Success is handed to the caller. A Failure
	// may be sent again, and counts against the host where the policy goes by Verdict. An answer that is Ignore is handed to the caller and not counted. It
	// must be safe for concurrent use and must not read the body. Nil means the function Classify.
	Classify func(resp *http.Response, err error) mettle.Verdict
	// Observer is told of retries, of requests that net/http sent again by itself, and of what happens in those policies above that have no observer of
	// their own. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if NewTransport accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	switch {
	case c.Retry.Classify != nil:
		return fmt.Errorf("mettlehttp: Config.Retry.Classify is set, want nil: set Config.Classify")
	case c.Hedge.Classify != nil:
		return fmt.Errorf("mettlehttp: Config.Hedge.Classify is set, want nil: set Config.Classify")
	case c.Timeout < 0:
		return fmt.Errorf("mettlehttp: Config.Timeout is %v, want 0 or more", c.Timeout)
	case c.MaxHold < -1:
		return fmt.Errorf("mettlehttp: Config.MaxHold is %v, want -1 ns or more", c.MaxHold)
	case c.MaxBuffer < 0:
		return fmt.Errorf("mettlehttp: Config.MaxBuffer is %d, want 0 or more", c.MaxBuffer)
	}
	if err := c.Retry.Validate(); err != nil {
		return fmt.Errorf("mettlehttp: Config.Retry: %w", err)
	}
	if c.hedges() {
		if err := c.Hedge.Validate(); err != nil {
			return fmt.Errorf("mettlehttp: Config.Hedge: %w", err)
		}
	}
	return nil
}

// hedges reports whether anything of Hedge is set: to set only what says nothing without a delay is a mistake.
func (c *Config) hedges() bool {
	h := &c.Hedge
	return h.Delay != 0 || h.Quantile != 0 || h.Max != 0 || h.Name != "" || h.Budget != nil || h.Observer != nil
}

// withDefaults returns c with every field as it counts.
func (c Config) withDefaults() Config {
	c.Retry.Name = cmp.Or(c.Retry.Name, c.Name)
	c.Retry.Attempts = cmp.Or(c.Retry.Attempts, 3)
	c.Retry.MaxHint = cmp.Or(c.Retry.MaxHint, 5*time.Minute)
	if c.Retry.Observer == nil {
		c.Retry.Observer = c.Observer
	}
	c.Hedge.Name = cmp.Or(c.Hedge.Name, c.Name)
	if c.Hedge.Observer == nil {
		c.Hedge.Observer = c.Observer
	}
	c.MaxHold = cmp.Or(c.MaxHold, c.Retry.MaxHint)
	c.MaxBuffer = cmp.Or(c.MaxBuffer, 64<<10)
	if c.Classify == nil {
		c.Classify = Classify
	}
	if c.Host == nil {
		observer := c.Observer
		c.Host = func(host string) mettle.Policy {
			return breaker.New(breaker.Config{Name: host, Classify: Verdict, Observer: observer})
		}
	}
	return c
}
