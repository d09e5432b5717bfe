//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// askedForStatus returns a channel on which somebody who sends SIGUSR1 asks how far the run is, and what ends that. Without it, the
// signal would kill the process.
func askedForStatus() (<-chan os.Signal, func()) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	return asked, func() { signal.Stop(asked) }
}
