//go:build unix

package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/mettle-go/mettle/group"
)

func Example_asyncioKeyboardInterrupt() {
	serve := func(ctx context.Context) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil { // as Ctrl-C does
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	exit := func(code int) { fmt.Println("exit status", code) }

	ctx, stop := group.Signals(context.Background())
	err := serve(ctx)
	stop()
	if s, ok := errors.AsType[*group.SignalError](context.Cause(ctx)); ok {
		exit(s.ExitCode()) // os.Exit
	}

	fmt.Println(err)
	// Output:
	// exit status 130
	// context canceled
}
