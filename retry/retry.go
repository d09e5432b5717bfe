package retry

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/budget"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/core/backoff"
	core "github.com/mettle-go/mettle/internal/core/retry"
	"github.com/mettle-go/mettle/internal/layer"
	"github.com/mettle-go/mettle/internal/mark"
)

// Config says when and how often to try again. The zero Config is safe for production.
type Config struct {
	// Name tells the operation in errors, events and descriptions. It may be empty.
	Name string
	// Attempts is how many calls to make at most, the first one included. 0 means 3; 1 means no retry; -1 means no limit (then
	// MaxElapsed is required, or, if there are no Rules, a budget).
	Attempts int
	// Backoff says how long to wait between attempts. The zero Backoff means 100 ms, doubling, at most 30 s, full
	// jitter.
	Backoff Backoff
	// MaxElapsed is the longest time from the first attempt's begin to the end of a wait: a wait that would end later is not
	// begun. It does not cut an attempt short; put a timeout inside or around for that. 0 means no limit.
	MaxElapsed time.Duration
	// Rules say what is different for errors of some kinds. Nil means that all are treated the same.
	Rules []Rule
	// Classify gives the verdict on an error: only a Failure is retried. It must be safe for concurrent use. Nil means that every error is a
	// Failure. See mettle.Judge for what is decided before Classify is asked.
	Classify func(error) mettle.Verdict
	// Budget bounds how much load retries add to that of first attempts. Policies may share one. Nil means one of the policy's own,
	// which earns 0.2 tokens a call and 10 a second and keeps them for 10 s; Unlimited means none.
	Budget *Budget
	// MaxHint is the longest wait that a server may ask for (see Hints above). 0 means 5 min.
	MaxHint time.Duration
	// Observer is told of each retry. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	if c.Attempts < -1 {
		return fmt.Errorf("retry: Config.Attempts is %d, want -1 or more", c.Attempts)
	}
	if c.MaxElapsed < 0 {
		return fmt.Errorf("retry: Config.MaxElapsed is %v, want 0 or more", c.MaxElapsed)
	}
	if c.MaxHint < 0 {
		return fmt.Errorf("retry: Config.MaxHint is %v, want 0 or more", c.MaxHint)
	}
	endless := c.Attempts == -1
	for i, r := range c.Rules {
		if err := r.validate(i); err != nil {
			return err
		}
		endless = endless || r.Attempts == -1
	}
	// Rules may match rejections, whose retries cost no tokens, so that no budget ends them.
	if endless && c.MaxElapsed == 0 && (c.Budget == Unlimited || len(c.Rules) > 0) {
		return fmt.Errorf("retry: Config.MaxElapsed is 0 where Attempts is -1 and nothing else ends a call, want more than 0")
	}
	return c.Backoff.validate("retry: Config.Backoff")
}

// A Policy retries. It is a mettle.Policy.
type Policy struct {
	name     string
	plan     core.Plan
	random   bool // some backoff has jitter
	rules    []Rule
	budget   *Budget // nil: no limit
	classify func(error) mettle.Verdict
	observer mettle.Observer
	runs     sync.Pool // of *core.Run
}

// New returns a policy. It panics if Validate has an error.
func New(c Config) *Policy {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	p := &Policy{name: c.Name, rules: slices.Clone(c.Rules), budget: c.Budget, classify: c.Classify, observer: c.Observer}
	p.runs.New = func() any { return new(core.Run) }
	p.plan = core.Plan{
		Attempts: cmp.Or(c.Attempts, 3), Backoff: c.Backoff.schedule(),
		MaxHint: cmp.Or(c.MaxHint, 5*time.Minute), MaxElapsed: c.MaxElapsed, Kinds: kinds(c.Rules),
	}
	p.random = p.plan.Backoff.Jitter != backoff.None
	for _, k := range p.plan.Kinds {
		p.random = p.random || k.Backoff != nil && k.Backoff.Jitter != backoff.None
	}
	switch p.budget {
	case nil:
		p.budget = ownBudget()
	case Unlimited:
		p.budget = nil
	}
	return p
}

// Do runs fn until it succeeds, or fails for good.
func (p *Policy) Do(ctx context.Context, fn func(context.Context) error) error {
	// This is layer.Retried, without the closure around fn for as long as there is no failure.
	now := p.Begin(clock.Unread)
	err := fn(layer.First(ctx))
	if err == nil {
		return nil
	}
	_, err = layer.Again(ctx, p, now, err, func(ctx context.Context, _ clock.Instant) (struct{}, error) {
		return struct{}{}, fn(ctx)
	})
	return err
}

// Describe tells the policy's name and its number of attempts.
func (p *Policy) Describe() mettle.Description {
	return mettle.Description{Kind: "retry", Name: p.name, Limit: int64(p.plan.Attempts)}
}

// Begin is how a mettle.Stack tells the policy of a call. Its types are internal to this module.
func (p *Policy) Begin(now clock.Instant) clock.Instant {
	if p.budget != nil {
		p.budget.Earn()
	}
	if p.plan.MaxElapsed > 0 {
		return now.OrNow()
	}
	return now
}

// Next is how a mettle.Stack runs the policy. Its types are internal to this module.
func (p *Policy) Next(ctx context.Context, run *core.Run, started clock.Instant, err error) (*core.Run, clock.Instant, error) {
	if err == nil {
		p.free(run)
		return nil, started, nil
	}
	caller, kind, verdict, marks := ctx.Err(), 0, mettle.Failure, mark.Read(err)
	if caller == nil {
		kind = p.kind(err)
	}
	switch {
	case kind > 0:
	case caller != nil || p.classify != nil:
		verdict = mettle.Judge(ctx, err, p.classify)
	case marks.Rejected: // what Judge says where there is nothing else to ask
		verdict = mettle.Ignore
	}
	if verdict != mettle.Failure && (run == nil || caller == nil && !marks.Rejected) {
		p.free(run)
		return nil, started, err // not ours to judge, and nothing to tell of earlier attempts
	}
	now := clock.Now()
	if run == nil {
		run = p.runs.Get().(*core.Run)
		run.Begun = started
		if started == clock.Unread {
			run.Begun, started = now, now
		}
	}
	run.Add(core.Attempt{Err: err, Took: now.Sub(started), Wait: run.Wait})
	switch {
	case caller != nil:
		return nil, now, p.exhausted(run, now, mark.Ended(ctx))
	case verdict != mettle.Failure:
		return nil, now, p.exhausted(run, now, ErrTurnedAway)
	}
	wait, stop := p.decide(ctx, run, now, err, kind, marks)
	if stop != core.Go {
		return nil, now, p.exhausted(run, now, reasons[stop])
	}
	var taken budget.Withdrawal
	if p.budget != nil && !marks.Rejected { // a rejected attempt was no load
		var ok bool
		if taken, ok = p.budget.WithdrawAt(p.cost(kind), now); !ok {
			return nil, now, p.exhausted(run, now, ErrBudget)
		}
	}
	if p.observer != nil {
		p.observer(ctx, mettle.Event{
			Kind: mettle.Retried, Policy: "retry", Name: p.name, Err: err,
			Attempt: run.N(), Of: max(0, p.plan.Limit(kind)), Wait: wait,
		})
		now = clock.Now() // an observer may take its time, which is not the next attempt's
	}
	run.Wait = wait
	if wait == 0 {
		return run, now, nil
	}
	if !sleep(ctx, wait) {
		p.giveBack(taken)
		return nil, now, p.exhausted(run, clock.Now(), mark.Ended(ctx))
	}
	return run, clock.Now(), nil
}

// decide asks the plan, with all that it wants to know.
func (p *Policy) decide(ctx context.Context, run *core.Run, now clock.Instant, err error, kind int, marks mark.Marks) (time.Duration, core.Stop) {
	f := core.Failure{
		N: run.Count(&p.plan, kind), Kind: kind, Permanent: marks.Permanent,
		Waited: run.Wait, Elapsed: now.Sub(run.Begun), Left: -1,
	}
	if p.random {
		f.Draw = rand.Uint64()
	}
	if marks.Special && !marks.Permanent {
		if d, ok := hint(err); ok {
			f.Hint, f.HintDraw = d, rand.Uint64()
		}
	}
	if d, ok := ctx.Deadline(); ok {
		f.Left = max(0, d.Sub(now.Time()))
	}
	return p.plan.Decide(f)
}

func (p *Policy) free(run *core.Run) {
	if run != nil {
		run.Reset()
		p.runs.Put(run)
	}
}

func (p *Policy) exhausted(run *core.Run, now clock.Instant, reason error) error {
	err := &ExhaustedError{Name: p.name, Elapsed: now.Sub(run.Begun), Reason: reason}
	for _, a := range run.Attempts() {
		err.Attempts = append(err.Attempts, Attempt(a))
	}
	p.free(run)
	return err
}

// sleep waits for d and reports whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil // both may have come at once
	case <-ctx.Done():
		return false
	}
}
