package group

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/discard"
	"github.com/mettle-go/mettle/internal/mark"
)

// MaxDetached is how many functions Detach runs at a time, in the whole program. A function that blocks in a system call or
// in C takes a thread, and the Go runtime ends a program that needs more than 10,000 of those.
const MaxDetached = 1024

var (
	// ErrDetached is what Detach returns when the caller's context ends before the function does: it was left running.
	ErrDetached = errors.New("group: left running")
	// ErrTooMany is why Detach rejects a call: MaxDetached functions are running.
	ErrTooMany = errors.New("group: too many detached functions are running")

	tooMany = mettle.Reject("detach", "", ErrTooMany, nil)
)

// detached counts the functions that Detach runs, and guards who of a caller and its function goes first.
var detached struct {
	sync.Mutex
	running, stragglers int
}

// Detached returns how many functions Detach runs at the moment, and how many of these are stragglers, whose callers have
// left. A number of stragglers that grows tells of a dependency that hangs.
func Detached() (running, stragglers int) {
	detached.Lock()
	defer detached.Unlock()
	return detached.running, detached.stragglers
}

// Detach runs fn in a goroutine of its own and returns what it returns, or, if ctx ends first, an error that is
// ErrDetached, ctx's error and its cause to errors.Is. It is for functions that know no context and cannot be canceled,
// such as a system call, a C library or an old client.
//
// A function that was left goes on, and still holds what it uses: its goroutine is the only one of mettle's that outlives
// the call which started it. What it returns late is lost, except that a result is closed if it has a method Close() error
// or Close(); one that it returns with an error is not. Do not let fn write to what the caller reads.
//
// At most MaxDetached functions run at a time. Beyond that, and if ctx has ended already, fn does not run, and Detach
// returns a *mettle.RejectedError whose Reason is ErrTooMany or how ctx ended. Detached tells how many there are.
//
// A panic in fn is returned as a *PanicError while the caller waits, and a runtime.Goexit as ErrGoexit. Of a panic after
// that nobody could hear: it is not recovered and ends the program, with its stack, as in any goroutine; one of a late
// result's Close too. Detach panics if fn is nil.
//
// It costs a goroutine and three allocations.
func Detach[R any](ctx context.Context, fn func() (R, error)) (R, error) {
	if fn == nil {
		panic("group: Detach: fn is nil, want a function")
	}
	var none R
	if ctx.Err() != nil {
		return none, mettle.Reject("detach", "", mark.Ended(ctx), nil)
	}
	if !detach() {
		return none, tooMany
	}
	d := &detachment[R]{done: make(chan struct{})}
	go d.run(fn)
	select {
	case <-d.done:
	case <-ctx.Done():
		if d.leave() {
			return none, mark.Ran(fmt.Errorf("%w: %w", ErrDetached, mark.Ended(ctx)))
		}
		<-d.done // it has ended, and only has to say so
	}
	return d.value, d.err
}

// detach counts one more function, if there is room for it.
func detach() bool {
	detached.Lock()
	defer detached.Unlock()
	if detached.running == MaxDetached {
		return false
	}
	detached.running++
	return true
}

// detachment is one call of Detach.
type detachment[R any] struct {
	left, ended bool // the caller; the function, before the caller left. Guarded by detached
	done        chan struct{}

	// Written before done is closed.
	value R
	err   error
}

// leave lets the caller go, unless the function has ended.
func (d *detachment[R]) leave() bool {
	detached.Lock()
	defer detached.Unlock()
	if d.ended {
		return false
	}
	d.left = true
	detached.stragglers++
	return true
}

// end counts the function out, unless the caller has left.
func (d *detachment[R]) end() bool {
	detached.Lock()
	defer detached.Unlock()
	if d.left {
		return false
	}
	d.ended = true
	detached.running--
	return true
}

// straggled counts a function out that was left.
func straggled() {
	detached.Lock()
	defer detached.Unlock()
	detached.running--
	detached.stragglers--
}

// run runs fn to its end, in a goroutine of its own.
func (d *detachment[R]) run(fn func() (R, error)) {
	told := false
	defer func() {
		if told {
			return
		}
		if !d.end() {
			straggled()
			return // and if this is a panic, it goes on
		}
		if v := recover(); v != nil {
			d.err = newPanicError(v)
		} else {
			d.err = ErrGoexit
		}
		close(d.done)
	}()
	v, err := fn()
	if d.end() {
		d.value, d.err = v, err
		told = true
		close(d.done)
	} else if err == nil {
		discard.Close(v)
	}
}
