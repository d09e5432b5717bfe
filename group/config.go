package group

import (
	"fmt"

	"github.com/mettle-go/mettle"
)

// mapLimit is Map's limit where the Config has none. It does not follow the number of processors, since Map is for
// calls that wait, and what it must spare is the dependency they wait for, which is the same from a small machine and
// a large one.
const mapLimit = 8

// A Config says how a scope runs its tasks. The zero Config is safe for production.
type Config struct {
	// Limit is how many tasks run at a time. 0 means no limit in RunWith, where the program's own code decides how many
	// tasks there are, and 8 in Map, Settle and Stream, where the data does.
	Limit int
	// MaxFailures is the number of failures that cancels the scope. 0 means 1, but in Settle that no number of failures
	// does, which -1 means everywhere. A panic always does, but in Settle, where it is one failure.
	MaxFailures int
	// Policy is put around each task, or around the function's call for each item. Nil means none.
	Policy mettle.Policy
	// Crash lets a panic in a task end the program, as in a bare goroutine: nothing recovers it, so that the crash
	// and its core dump show the stack as it was. False means that a panic becomes a *PanicError.
	Crash bool
	// Progress is told how far the scope is, for a log line or a progress bar: at most every 100 ms, when a task or
	// an item ends, and once more when all have. It is called by the goroutine whose task ended, or at last by the one that
	// called the function, outside of locks and never twice at a time; a task that ends meanwhile does not wait for it. A
	// panic in it counts as one of the task that has just ended; in the last report it passes through. Nil means nobody, and costs nothing; otherwise each
	// task or item costs a clock read and an atomic operation or two. Map and Settle do not call it if there are no items.
	Progress func(Progress)
	// Unordered lets Stream yield its items as they end. False means in the order in which they were taken. It is an
	// option of Stream alone: Map, Settle and RunWith panic if it is set.
	Unordered bool
}

// Validate returns nil, or an error that names the field, its value and what it wants. Everything in this package
// accepts a c without an error, except for an Unordered that is not for it.
func (c Config) Validate() error {
	if c.Limit < 0 {
		return fmt.Errorf("group: Config.Limit is %d, want 0 or more", c.Limit)
	}
	if c.MaxFailures < -1 {
		return fmt.Errorf("group: Config.MaxFailures is %d, want -1 or more", c.MaxFailures)
	}
	return nil
}

func (c Config) mustBeValid() {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
}

// mustBeOrdered panics on behalf of a function that has no use for Unordered.
func (c Config) mustBeOrdered(function string) {
	if c.Unordered {
		panic("group: Config.Unordered is true, want false in " + function)
	}
}

// limitOfItems returns the Limit of a function that is given its items.
func (c Config) limitOfItems() int {
	if c.Limit == 0 {
		return mapLimit
	}
	return c.Limit
}
