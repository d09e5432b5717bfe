package hedge

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/budget"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/core/quantile"
)

// Config says when to start another run of a call. Exactly one of Delay and Quantile must be set: no default can be right.
type Config struct {
	// Name tells the operation in errors, events and descriptions. It may be empty.
	Name string
	// Delay is how long a run may take before another is started. 0 means that Quantile decides.
	Delay time.Duration
	// Quantile is the share of calls, between 0 and 1, that are over before another run would be started: 0.95 hedges the slowest
	// twentieth. The delay follows the latency of the latest calls. 0 means that Delay decides.
	Quantile float64
	// Max is how many further runs to start at most, each one delay after the one before. 0 means 1.
	Max int
	// Budget bounds the further runs of all calls together. Nil means one of the policy's own, with 0.05 a call and 1 a
	// second; Unlimited means no bound.
	Budget *Budget
	// Classify gives the verdict on an error: a run whose error is a Success wins like one without an error. It must be safe for concurrent
	// use. Nil means that every error is a Failure. See mettle.Judge for what is decided before Classify is asked.
	Classify func(error) mettle.Verdict
	// Observer is told of each further run. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	switch {
	case c.Delay < 0:
		return fmt.Errorf("hedge: Config.Delay is %v, want more than 0", c.Delay)
	case !(c.Quantile >= 0 && c.Quantile < 1):
		return fmt.Errorf("hedge: Config.Quantile is %v, want between 0 and 1", c.Quantile)
	case c.Delay == 0 && c.Quantile == 0:
		return fmt.Errorf("hedge: Config.Delay and Config.Quantile are 0, want one of them more than 0")
	case c.Delay > 0 && c.Quantile > 0:
		return fmt.Errorf("hedge: Config.Delay is %v and Config.Quantile is %v, want one of them 0", c.Delay, c.Quantile)
	case c.Max < 0:
		return fmt.Errorf("hedge: Config.Max is %d, want 0 or more", c.Max)
	}
	return nil
}

// A Budget bounds the further runs of the calls that share it. It may be shared with retries: retry.Budget is the same type.
type Budget = budget.Budget

// BudgetConfig is what NewBudget makes a Budget of.
type BudgetConfig = budget.Config

// NewBudget returns a budget for Config.Budget. It panics if c.Validate has an error.
func NewBudget(c BudgetConfig) *Budget { return budget.New(c) }

// Unlimited is the budget that allows everything.
var Unlimited = budget.Unlimited

// With less than the delay divided by this left until the deadline, another run would come too late.
const hopeless = 10

// A Policy hedges. It is a mettle.Policy.
type Policy struct {
	name     string
	delay    time.Duration
	latency  *quantile.Window // nil if the delay is fixed
	max      int
	budget   *Budget
	classify func(error) mettle.Verdict
	observer mettle.Observer

	calls, hedges, wins, refused atomic.Uint64
}

// New returns a policy. It panics if Validate has an error.
func New(c Config) *Policy {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	p := &Policy{name: c.Name, delay: c.Delay, max: c.Max, budget: c.Budget, classify: c.Classify, observer: c.Observer}
	if c.Quantile > 0 {
		p.latency = quantile.New(c.Quantile)
	}
	if p.max == 0 {
		p.max = 1
	}
	if p.budget == nil {
		p.budget = NewBudget(BudgetConfig{Ratio: 0.05, Floor: 1})
	}
	return p
}

// Do runs fn, and runs it again beside if it is slow. It returns when the call has been decided and every run has ended.
func (p *Policy) Do(ctx context.Context, fn func(context.Context) error) error {
	p.calls.Add(1)
	p.budget.Earn()
	delay := p.delay
	if p.latency != nil {
		value, known := p.latency.Value()
		if !known {
			return p.learn(ctx, fn)
		}
		delay = time.Duration(value)
	}
	c := &call{policy: p, ctx: ctx, fn: fn, delay: delay}
	return c.do()
}

// learn is Do while nobody knows what slow is.
func (p *Policy) learn(ctx context.Context, fn func(context.Context) error) error {
	begun := clock.Now()
	err := fn(ctx)
	if mettle.Judge(ctx, err, p.classify) == mettle.Success {
		p.latency.Record(int64(clock.Now().Sub(begun)))
	}
	return err
}

// Describe tells the policy's name, how many further runs it allows, its delay and counters.
func (p *Policy) Describe() mettle.Description {
	delay := p.delay
	if p.latency != nil {
		value, _ := p.latency.Value()
		delay = time.Duration(value)
	}
	return mettle.Description{Kind: "hedge", Name: p.name, Limit: int64(p.max), Metrics: []mettle.Metric{
		{Name: "delay_seconds", Value: delay.Seconds()},
		{Name: "calls", Value: float64(p.calls.Load())},
		{Name: "hedges", Value: float64(p.hedges.Load())},
		{Name: "hedges_won", Value: float64(p.wins.Load())},
		{Name: "hedges_refused", Value: float64(p.refused.Load())},
	}}
}
