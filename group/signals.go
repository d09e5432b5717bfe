package group

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"sync"
	"syscall"
)

// Signals returns a context that is canceled by the first interrupt (Ctrl-C) or SIGTERM that the program gets, with a
// *SignalError as its cause. Then, and when ctx ends or stop is called, it gives both signals back: a second Ctrl-C ends
// the program at once, as it does where nobody catches it. So a program that takes too long to end can always be ended.
//
//	func main() {
//		ctx, stop := group.Signals(context.Background())
//		err := serve(ctx)
//		stop()
//		if s, ok := errors.AsType[*group.SignalError](context.Cause(ctx)); ok {
//			os.Exit(s.ExitCode())
//		}
//		…
//
// A scope under this context is canceled at once. To let its tasks finish first, run it under another, and stop it:
//
//	err := group.Run(context.Background(), func(g *group.Group) error {
//		context.AfterFunc(signaled, func() { g.Stop(10 * time.Second) })
//		…
//
// Call stop when the work is done. It cancels the context and returns when nothing of Signals is left. Signals is for the
// main function: what it catches is the whole program's. Where several are in force each hears the first signal, and the
// second takes effect when the last of them has given it back. A signal that was ignored when the program started is
// caught too, and ignored again after that. Signals does not work in a testing/synctest bubble, since signals come from
// outside.
func Signals(ctx context.Context) (signaled context.Context, stop context.CancelFunc) {
	signaled, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	var watch sync.WaitGroup
	watch.Go(func() {
		var first os.Signal
		select {
		case first = <-caught:
		case <-signaled.Done():
		}
		// Before anybody can learn of the first signal, so that whoever answers to it with a second is sure of its effect.
		signal.Stop(caught)
		if first != nil {
			cancel(&SignalError{Signal: first})
		}
	})
	return signaled, func() {
		cancel(nil)
		watch.Wait()
	}
}

// A SignalError is the cause of a context that Signals canceled.
type SignalError struct {
	Signal os.Signal
}

// Error names the signal.
func (e *SignalError) Error() string { return "group: signal: " + e.Signal.String() }

// ExitCode returns the status with which shells expect a program to exit that ended because of the signal: 128 and its
// number, which is 130 for an interrupt and 143 for SIGTERM; or 1 if it has no number.
func (e *SignalError) ExitCode() int {
	if n := reflect.ValueOf(e.Signal); n.CanInt() { // a syscall.Signal, which not every system has
		return 128 + int(n.Int())
	}
	return 1
}
