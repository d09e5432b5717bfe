// Package timeout bounds how long a call may take.
//
// # When to use it
//
// Around every call that leaves the process. Innermost in a stack it bounds each attempt, outermost the whole
// call with its retries and waits.
//
// # Not for
//
// Functions that do not look at their context: Do waits for them. A timeout does not abandon a call,
// since an abandoned call goes on using what the timeout was meant to protect.
//
// # Example
//
//	var quick = timeout.After(200 * time.Millisecond)
//
//	err := quick.Do(ctx, func(ctx context.Context) error { return db.PingContext(ctx) })
//
// # Defaults
//
// None: how long a call may take is for its author to say.
//
// # Errors
//
// A call that fails because its time was up returns *Error, which unwraps to the function's own error, is
// context.DeadlineExceeded to errors.Is, and has Timeout() bool. Within the function, context.Cause tells the same.
// A function that returns nil after its time was up has succeeded. A deadline of the caller that comes first
// wins and keeps its own cause: then the error passes as it is.
//
// # Events
//
// mettle.TimedOut.
//
// # Concurrency, cancellation, panics
//
// A Policy is immutable and safe for concurrent use. The context it gives to the function ends with the call, also
// by a panic, which passes through.
//
// # Cost
//
// One allocation and one clock read. The timer, and the tie to the parent context, are made when the function first asks
// for ctx.Done, at the price of context.WithTimeout; a function that returns before it needs them never pays.
//
// # Mistakes
//
// Wrong: the timeout outside of the retry only. One attempt that hangs uses up the time of all.
//
//	mettle.Compose(timeout.After(time.Second), retry.New(retry.Config{}))
//
// Right: one for each attempt, and, if the caller sets no deadline, one for the whole.
//
//	mettle.Compose(timeout.After(3*time.Second), retry.New(retry.Config{}), timeout.After(time.Second))
package timeout

import (
	"context"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/deadline"
)

// Config says how long a call may take.
type Config struct {
	// Name tells the operation in errors, events and descriptions. It may be empty.
	Name string
	// After is how long a call may take. It must be more than 0.
	After time.Duration
	// Observer is told of calls whose time was up. Nil means nobody.
	Observer mettle.Observer
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	if c.After <= 0 {
		return fmt.Errorf("timeout: Config.After is %v, want more than 0", c.After)
	}
	return nil
}

// A Policy bounds calls. It is a mettle.Policy.
type Policy struct {
	name     string
	limit    deadline.Limit
	observer mettle.Observer
}

// New returns a policy. It panics if Validate has an error.
func New(c Config) *Policy {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	p := &Policy{name: c.Name, observer: c.Observer}
	p.limit = deadline.Limit{
		After:    c.After,
		Cause:    &Error{Name: c.Name, After: c.After},
		Exceeded: p.exceeded,
	}
	return p
}

// After is short for New(Config{After: d}).
func After(d time.Duration) *Policy { return New(Config{After: d}) }

// Do runs fn with a context that ends after the policy's time. It waits for fn.
func (p *Policy) Do(ctx context.Context, fn func(context.Context) error) (err error) {
	// This is layer.Bounded, without a closure around fn.
	bound := deadline.New(ctx, &p.limit, clock.Now())
	defer func() { err = bound.End(err) }()
	return fn(bound)
}

// Bound is how a mettle.Stack runs the policy. Its types are internal to this module.
func (p *Policy) Bound(ctx context.Context, now clock.Instant) (*deadline.Context, clock.Instant) {
	now = now.OrNow()
	return deadline.New(ctx, &p.limit, now), now
}

// Describe tells the policy's name and its time.
func (p *Policy) Describe() mettle.Description {
	return mettle.Description{Kind: "timeout", Name: p.name, Metrics: []mettle.Metric{
		{Name: "after_seconds", Value: p.limit.After.Seconds()},
	}}
}

func (p *Policy) exceeded(ctx context.Context, err error) error {
	if p.observer != nil {
		p.observer(ctx, mettle.Event{
			Kind: mettle.TimedOut, Policy: "timeout", Name: p.name, Err: err, After: p.limit.After,
		})
	}
	return &Error{Name: p.name, After: p.limit.After, Err: err}
}

// An Error says that a call's time was up.
type Error struct {
	Name  string        // the policy's Config.Name
	After time.Duration // the time allowed
	Err   error         // what the function returned; nil in the cause of its context
}

// Error tells the operation and the time allowed in one line.
func (e *Error) Error() string {
	what := "timeout"
	if e.Name != "" {
		what += ": " + e.Name
	}
	if e.Err == nil || e.Err == context.DeadlineExceeded || e.causedBy(e.Err) {
		return fmt.Sprintf("%s: time was up after %v", what, e.After)
	}
	return fmt.Sprintf("%s: time was up after %v: %v", what, e.After, e.Err)
}

// causedBy reports whether err is the cause of e's own context, which says nothing that e does not.
func (e *Error) causedBy(err error) bool {
	cause, ok := err.(*Error)
	return ok && *cause == Error{Name: e.Name, After: e.After}
}

// Unwrap returns what the function returned.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is context.DeadlineExceeded.
func (e *Error) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout is true: net.Error and its like ask for it.
func (e *Error) Timeout() bool { return true }
