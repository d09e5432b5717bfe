//go:build unix

package group_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mettle-go/mettle/group"
)

// The first Ctrl-C lets what runs finish, for ten seconds at most; the second ends the program at once.
func Example_ctrlC() {
	signaled, stop := group.Signals(context.Background())
	defer stop()

	started := make(chan struct{})
	err := group.Run(context.Background(), func(g *group.Group) error {
		context.AfterFunc(signaled, func() { g.Stop(10 * time.Second) })

		g.Go(func(context.Context) error {
			close(started)
			<-g.Stopping() // between two jobs
			fmt.Println("finished the last job")
			return nil
		})

		<-started
		pressCtrlC()
		return nil
	})

	fmt.Println("scope:", err)
	if s, ok := errors.AsType[*group.SignalError](context.Cause(signaled)); ok {
		fmt.Println("exit status", s.ExitCode()) // for os.Exit
	}
	// Output:
	// finished the last job
	// scope: <nil>
	// exit status 130
}

// pressCtrlC sends the program what the terminal does.
func pressCtrlC() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		panic(err)
	}
}

// A scope under the signals' own context is canceled at once.
func ExampleSignals() {
	ctx, stop := group.Signals(context.Background())
	defer stop()

	err := group.Run(ctx, func(g *group.Group) error {
		g.Go(func(ctx context.Context) error {
			pressCtrlC()
			<-ctx.Done()
			return ctx.Err()
		})
		return nil
	})
	fmt.Println(err)
	// Output: group: 1 of 1 task canceled: context canceled: group: signal: interrupt
}

func ExampleSignalError_ExitCode() {
	err := fmt.Errorf("copy: %w", &group.SignalError{Signal: os.Interrupt})

	if s, ok := errors.AsType[*group.SignalError](err); ok {
		fmt.Println(s, "→ exit status", s.ExitCode())
	}
	// Output: group: signal: interrupt → exit status 130
}
