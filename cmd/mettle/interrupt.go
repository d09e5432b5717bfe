package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var errInterrupted = errors.New("interrupted")

// An interrupt is how a person ends a run: the first signal asks it to stop, the second cancels it.
type interrupt struct {
	stop  chan struct{} // closed by the first signal
	code  atomic.Int32  // for the last signal; 0: there was none
	close func()        // gives signals back their usual effect
}

// stuckAfter is how long a canceled run may take to write its last results, which a pipe that nobody reads takes forever
// to accept.
const stuckAfter = time.Second

// onInterrupt waits for signals, and calls stopping with the first. The context it returns ends with the second.
func onInterrupt(ctx context.Context, stopping func(syscall.Signal)) (context.Context, *interrupt) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	over := make(chan struct{})
	var watching sync.WaitGroup
	i := &interrupt{stop: make(chan struct{})}
	i.close = func() {
		signal.Stop(signals)
		close(over)
		watching.Wait()
		cancel(nil)
	}
	next := func() (s syscall.Signal, ok bool) {
		select {
		case any := <-signals:
			s = any.(syscall.Signal)
			i.code.Store(int32(exitSignal(s)))
			return s, true
		case <-over:
			return 0, false
		}
	}
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	watching.Go(func() {
		first, ok := next()
		if !ok {
			return
		}
		close(i.stop)
		told := make(chan struct{})
		go func() { // a stderr that nobody reads must not keep the next signals from being heard
			defer close(told)
			stopping(first)
		}()
		if _, ok := next(); !ok {
			<-told // before the summary
			return
		}
		cancel(errInterrupted)
		select {
		case <-time.After(stuckAfter):
		case <-signals:
		case <-over:
			return
		}
		os.Exit(int(i.code.Load()))
	})
	return ctx, i
}
