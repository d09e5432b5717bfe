package bulkhead

import (
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
)

// Why a bulkhead rejects, unless the caller's context ended.
var (
	// ErrFull: all places are taken and so is the queue; or the call is heavier than the limit and could never run; or, with LIFO, it was in
	// the queue and had to make room for one that came later.
	ErrFull = errors.New("bulkhead: full")
	// ErrWait: no place came free within Config.MaxWait.
	ErrWait = errors.New("bulkhead: waited too long")
)

// Config says how many calls run and wait.
type Config struct {
	// Name tells the resource in errors, events and descriptions. It may be empty.
	Name string
	// Limit is how many calls run at a time, or what they may weigh together. It must be 1 or more.
	Limit int
	// Queue is how many calls may wait for a place, whatever they weigh. 0 means that nobody waits.
	Queue int
	// MaxWait is how long a call waits at most. 0 means as long as its context allows.
	MaxWait time.Duration
	// Order says who of those who wait is next. 0 means FIFO.
	Order Order
	// Observer is told of rejections. Nil means nobody.
	Observer mettle.Observer
}

// An Order says who of those who wait is next.
type Order int

const (
	// FIFO lets callers in as they came. Nobody overtakes, not even a light call that would fit while a heavy one does not.
	FIFO Order = iota
	// LIFO lets the caller in first who came last, and turns away who has waited longest when the queue is full. It is for overload
	// that lasts: see The queue in the package's description.
	LIFO
)

// String returns "FIFO" or "LIFO".
func (o Order) String() string {
	switch o {
	case FIFO:
		return "FIFO"
	case LIFO:
		return "LIFO"
	default:
		return fmt.Sprintf("Order(%d)", int(o))
	}
}

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	switch {
	case c.Limit < 1:
		return fmt.Errorf("bulkhead: Config.Limit is %d, want 1 or more", c.Limit)
	case c.Limit > core.MaxCount:
		return fmt.Errorf("bulkhead: Config.Limit is %d, want %d or less", c.Limit, core.MaxCount)
	case c.Queue < 0 || c.Queue > core.MaxCount:
		return fmt.Errorf("bulkhead: Config.Queue is %d, want 0 to %d", c.Queue, core.MaxCount)
	case c.MaxWait < 0:
		return fmt.Errorf("bulkhead: Config.MaxWait is %v, want 0 or more", c.MaxWait)
	case c.Order != FIFO && c.Order != LIFO:
		return fmt.Errorf("bulkhead: Config.Order is %v, want FIFO or LIFO", c.Order)
	}
	return nil
}
