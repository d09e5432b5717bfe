package main

import (
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// A machine is what a measurement was made on and of.
type machine struct {
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	CPU      string   `json:"cpu"`
	Procs    int      `json:"gomaxprocs"`
	Peers    []string `json:"peers"` // module@version
}

func thisMachine() machine {
	m := machine{
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		CPU:      strings.TrimSpace(cpuid.CPU.BrandName),
		Procs:    runtime.GOMAXPROCS(0),
	}
	if m.CPU == "" {
		m.CPU = "unknown processor"
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Peers = peers(info.Deps)
	}
	return m
}

// peers returns the modules that contenders come from, of all that the program is built of.
func peers(deps []*debug.Module) []string {
	var found []string
	for _, d := range deps {
		if slices.Contains(measured, d.Path) {
			found = append(found, d.Path+"@"+d.Version)
		}
	}
	return found
}

// measured are the modules whose versions belong beside the figures.
var measured = []string{
	"github.com/alitto/pond/v2",
	"github.com/avast/retry-go/v5",
	"github.com/cenkalti/backoff/v5",
	"github.com/failsafe-go/failsafe-go",
	"github.com/panjf2000/ants/v2",
	"github.com/sony/gobreaker/v2",
	"github.com/sourcegraph/conc",
	"golang.org/x/sync",
	"golang.org/x/time",
}
