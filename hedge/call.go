package hedge

import (
	"context"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
)

// A call is one Do. Its first run is in the caller's goroutine, the others are each in that of the timer that started them.
type call struct {
	policy *Policy
	ctx    context.Context
	fn     func(context.Context) error
	delay  time.Duration
	begun  clock.Instant // of the first run; read only where its latency is recorded

	others sync.WaitGroup // timers that may fire, and further runs

	mu     sync.Mutex
	timer  *time.Timer // until it fires
	over   bool        // no run starts any more: the first run has ended, or one has won
	winner *run
	hedges []*run

	first run
}

// do runs the call to its end.
func (c *call) do() error {
	c.init(&c.first)
	c.mu.Lock()
	c.arm()
	c.mu.Unlock()
	returned := false
	defer func() {
		if !returned {
			c.abandon()
		}
	}()
	if c.policy.latency != nil {
		c.begun = clock.Now()
	}
	err := c.fn(&c.first)
	returned = true
	c.end(&c.first, err, c.verdict(err))
	c.others.Wait()
	// All runs have ended; nobody else touches c any more.
	if c.winner == nil {
		return c.failed()
	}
	c.winner.branch.Keep()
	c.winner.leave()
	return c.winner.err
}

func (c *call) init(r *run) { r.Context, r.branch = mettle.Fork(c.ctx) }

// arm sets the timer for the next run. The caller holds c.mu.
func (c *call) arm() {
	c.others.Add(1)
	c.timer = time.AfterFunc(c.delay, c.hedge)
}

// disarm sees to it that no further run starts. The caller holds c.mu.
func (c *call) disarm() {
	c.over = true
	if c.timer != nil && c.timer.Stop() {
		c.others.Done()
	}
	c.timer = nil
}

// hedge makes another run, in a goroutine of its own.
func (c *call) hedge() {
	defer c.others.Done()
	r, n := c.start()
	if r == nil {
		return
	}
	p := c.policy
	err, verdict := errGone, mettle.Failure
	defer func() { c.end(r, err, verdict) }() // also when the run ends its goroutine, so that nobody waits for it
	if p.observer != nil {
		p.observer(c.ctx, mettle.Event{Kind: mettle.Hedged, Policy: "hedge", Name: p.name, Attempt: n})
	}
	if ended := r.Err(); ended != nil {
		err = ended // the observer took so long that the call has been decided
		p.budget.Return(r.token)
		return
	}
	result := c.fn(r)
	err, verdict = result, c.verdict(result)
	if rejected(err) {
		p.budget.Return(r.token) // the dependency saw nothing of it
	}
}

// start decides whether there is another run, and returns it with its number, counted from 1.
func (c *call) start() (*run, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over || c.ctx.Err() != nil {
		return nil, 0
	}
	c.timer = nil
	p := c.policy
	if deadline, ok := c.ctx.Deadline(); ok && time.Until(deadline) < c.delay/hopeless {
		return nil, 0
	}
	token, ok := p.budget.Withdraw(1)
	if !ok {
		p.refused.Add(1)
		return nil, 0
	}
	p.hedges.Add(1)
	r := &run{token: token}
	c.init(r)
	c.hedges = append(c.hedges, r)
	if len(c.hedges) < p.max {
		c.arm()
	}
	return r, len(c.hedges) + 1
}

func (c *call) verdict(err error) mettle.Verdict {
	return mettle.Judge(c.ctx, err, c.policy.classify)
}

// end hears that r ended with err. The first success wins: then the others are canceled. What did not win is released at once.
func (c *call) end(r *run, err error, verdict mettle.Verdict) {
	success := verdict == mettle.Success
	if r == &c.first && c.policy.latency != nil {
		c.record(success)
	}
	var losers []*run
	c.mu.Lock()
	r.err = err
	if r == &c.first {
		c.disarm()
	}
	won := success && c.winner == nil
	if won {
		c.winner = r
		c.disarm()
		losers = c.all()
	}
	c.mu.Unlock()
	for _, l := range losers {
		if l != r {
			l.stop(ErrLost)
		}
	}
	switch {
	case !won:
		r.stop(context.Canceled)
		r.branch.Drop()
	case r != &c.first:
		c.policy.wins.Add(1)
	}
}

// record tells the latency of the first run to those who come after.
func (c *call) record(success bool) {
	took := clock.Now().Sub(c.begun)
	// A run that was canceled or failed after the delay would have taken that long at least, which is all that the quantile needs to know.
	// Without such runs the policy would forget what slow is; with quick failures it would take those for the service's speed.
	if success || took >= c.delay {
		c.policy.latency.Record(int64(took))
	}
}

// all returns the runs, the first one first. The caller holds c.mu.
func (c *call) all() []*run {
	if len(c.hedges) == 0 {
		return nil // and only the first run could have asked
	}
	return append([]*run{&c.first}, c.hedges...)
}

// abandon ends a call whose first run panicked or ended the goroutine: nobody will take a result.
func (c *call) abandon() {
	c.mu.Lock()
	c.disarm()
	hedges := c.hedges
	c.mu.Unlock()
	for _, r := range hedges {
		r.stop(mettle.ErrUnfinished)
	}
	c.others.Wait()
	c.first.stop(mettle.ErrUnfinished)
	c.first.branch.Drop()
	if c.winner != nil {
		c.winner.branch.Drop()
		c.winner.stop(mettle.ErrUnfinished)
	}
}
