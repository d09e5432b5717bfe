// Package deadline has the context of a call that may take only so long.
//
// It differs from context.WithDeadlineCause in when it pays: until somebody asks for Done, or for Err
// once there is something to say, it is one allocation with no timer and no tie to its
// parent. Then it makes the context of the standard library that it stands for and hands Done, Err and
// Value to that one, so that context.Cause, AfterFunc and derived contexts work as with any other.
//
// The price is hindsight. Of what happened while nobody asked, the order is not known: where both the time ran out and
// the parent ended, the parent's error is told; and a context that ended before anybody asked says what the
// parent says, or else Canceled.
package deadline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// A Limit is what all calls under one timeout share.
type Limit struct {
	After time.Duration
	// Cause is the cause of contexts whose time was up. Its identity tells this limit from others.
	Cause error
	// Exceeded returns the error of a call that ended with err because its time was up. It gets the context that
	// the call came with.
	Exceeded func(ctx context.Context, err error) error
}

// Context is the context of one call. It is safe for concurrent use, also after End.
type Context struct {
	parent context.Context
	limit  *Limit
	at     clock.Instant

	// The goroutines of one call share its context: state lets them ask for values and errors without meeting at the lock.
	state  atomic.Uint32
	mu     sync.Mutex      // held while the underlying context is made
	made   context.Context // set before hasMade, like cancel, and not changed then
	cancel context.CancelFunc
}

// The bits of Context.state. They are set, each once, and stay.
const (
	hasMade  = 1 << iota // the underlying context is there
	hasEnded             // End was called
)

// New returns the context of a call that begins at now.
func New(parent context.Context, limit *Limit, now clock.Instant) *Context {
	return &Context{parent: parent, limit: limit, at: now.Add(limit.After)}
}

// Deadline returns the earlier of the parent's deadline and this call's own.
func (c *Context) Deadline() (time.Time, bool) {
	own := c.at.Time()
	if d, ok := c.parent.Deadline(); ok && d.Before(own) {
		return d, true
	}
	return own, true
}

// Done makes the underlying context.
func (c *Context) Done() <-chan struct{} { return c.make().Done() }

// Err asks the parent and the clock while there is no underlying context. Once it has an error to tell,
// it makes one, which then settles which error and cause it is, for good.
func (c *Context) Err() error {
	if c.state.Load() == 0 && c.parent.Err() == nil && clock.Now() < c.at {
		return nil
	}
	return c.make().Err()
}

// Value hands on to the underlying context, if there is one. Before that the parent answers: the only key
// on which they differ is the private one by which package context finds a canceler, and it asks for that one only after
// Done or a non-nil Err.
func (c *Context) Value(key any) any {
	if c.state.Load()&hasMade != 0 {
		return c.made.Value(key)
	}
	return c.parent.Value(key)
}

// make returns the underlying context.
func (c *Context) make() context.Context {
	if c.state.Load()&hasMade != 0 {
		return c.made
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state := c.state.Load(); {
	case state&hasMade != 0:
		return c.made
	case state&hasEnded != 0:
		// Without the deadline: it may have passed since, and a call that was over before must not
		// turn into one that took too long.
		c.made, c.cancel = context.WithCancel(c.parent)
	default:
		c.made, c.cancel = context.WithDeadlineCause(c.parent, c.at.Time(), c.limit.Cause)
	}
	if c.state.Or(hasMade)&hasEnded != 0 {
		c.cancel() // End, if it came meanwhile, saw nothing to cancel
	}
	return c.made
}

// String tells the parent and the time allowed, as the contexts of the standard library do. Without it,
// printing a context would read c's fields without the lock.
func (c *Context) String() string {
	return Name(c.parent) + ".WithTimeout(" + c.limit.After.String() + ")"
}

// Name returns how the String of a context made of ctx begins. Of a context that has no String of its own it tells the type only: its
// fields may be changing.
func Name(ctx context.Context) string {
	if s, ok := ctx.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", ctx)
}

// End cancels the context, as a context.CancelFunc does, and returns the error of the call: err, or what
// Limit.Exceeded makes of it if the call failed because this limit's time was up. A nil err stays nil.
// Call it once.
func (c *Context) End(err error) error {
	var made context.Context
	if c.state.Or(hasEnded)&hasMade != 0 {
		made = c.made
	}
	exceeded := err != nil && c.exceeded(made, err)
	if made != nil {
		c.cancel()
	}
	if exceeded {
		return c.limit.Exceeded(c.parent, err)
	}
	return err
}

// exceeded reports whether err came because this limit's own time was up.
func (c *Context) exceeded(made context.Context, err error) bool {
	if d, _ := c.Deadline(); !d.Equal(c.at.Time()) {
		return false // the parent's deadline came first, and it keeps its own cause
	}
	if made != nil && context.Cause(made) == c.limit.Cause {
		return true
	}
	// A function may have taken the time from Deadline alone, as network connections do, and seen it pass
	// without, or a moment before, the timer of a context.
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() && clock.Now() >= c.at && c.parent.Err() == nil
}
