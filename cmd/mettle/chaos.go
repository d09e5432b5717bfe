package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/mettle-go/mettle/chaos"
	"github.com/spf13/cobra"
)

// A chaosCommand is one invocation of mettle chaos.
type chaosCommand struct {
	addr string
	seed uint64
}

func newChaos() *cobra.Command {
	c := &chaosCommand{addr: "127.0.0.1:8080"}
	cmd := &cobra.Command{
		Use:   "chaos [flags]",
		Short: "Serve a hostile HTTP server to test against, until Ctrl-C",
		Long: `Serve a hostile HTTP server until Ctrl-C or SIGTERM, for tests in any language:
it resets connections, cuts bodies, stalls and asks to be left alone, exactly as
the URL says. The same requests get the same answers, down to the byte.

Its URL goes to stdout as soon as it listens, what was served to stderr at the
end. The page / lists all it can do; some of it:

  /short?heal=2   a body cut short, for the first 2 requests; then a whole one
  /reset          a connection reset before any answer
  /stall          a part of a body, then silence
  /status/503     that status; after=5 adds a Retry-After of 5 seconds
  /hold?for=5s    429 for every path of the host; who asks meanwhile is counted
  /stats          what it has seen, as JSON: requests, violations of a hold, ...
  /expect?url=U   what a correct client gets from U, as JSON: bytes, sha256, ...`,
		Example: `  mettle chaos
  curl -i 'http://127.0.0.1:8080/short?heal=1'
  echo 'http://127.0.0.1:8080/hold?for=5s' | mettle fetch
  curl http://127.0.0.1:8080/stats

  # in CI: any free port, ended with the script
  rm -f url; mettle chaos --addr 127.0.0.1:0 > url & trap 'kill $!' EXIT
  until [ -s url ]; do sleep 0.1; done; CHAOS=$(cat url)`,
		GroupID:           mainGroup.ID,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              c.run,
	}
	cmd.Flags().Var(value[string]{to: &c.addr, kind: "ADDRESS", parse: hostPort}, "addr", "listen on `HOST:PORT`; port 0 takes any free one")
	cmd.Flags().Var(value[uint64]{to: &c.seed, kind: "N", parse: seed}, "seed", "make every body, and every point where one is cut, from `N` (default 0)")
	return cmd
}

func hostPort(s string) (string, error) {
	if _, port, err := net.SplitHostPort(s); err == nil {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return s, nil
		}
	}
	return "", errors.New("want HOST:PORT, such as 127.0.0.1:8080")
}

func seed(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, errors.New("want a number from 0 to 18446744073709551615")
	}
	return n, nil
}

func (c *chaosCommand) run(cmd *cobra.Command, _ []string) error {
	ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	srv := chaos.New(chaos.Config{Seed: c.seed})
	if err := srv.Start(c.addr); err != nil {
		return failed(exitUsage, "cannot listen on %s: %v", c.addr, plainError(err)).hinting("--addr 127.0.0.1:0 takes a port that is free")
	}
	stderr := cmd.ErrOrStderr()
	if !loopback(srv.Addr()) {
		fmt.Fprintf(stderr, "mettle: warning: %s can be reached from other machines\nhint: without --addr, only this machine can\n", srv.Addr())
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), srv.URL("/")); err != nil {
		srv.Close()
		return failed(exitOutput, "cannot write the URL to stdout: %v", plainError(err))
	}
	<-ctx.Done()
	srv.Close()
	tell(stderr, srv.Stats())
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// tell says what was served.
func tell(w io.Writer, s chaos.Stats) {
	fmt.Fprintf(w, "mettle: served %s on %s, %s of a hold\n",
		plural(s.Requests, "request"), plural(s.Conns, "connection"), plural(s.Violations, "violation"))
	if len(s.Faults) > 0 {
		fmt.Fprintf(w, "mettle: by fault: %s\n", tally(s.Faults, nameFirst))
	}
	if len(s.Status) > 0 {
		fmt.Fprintf(w, "mettle: by status: %s\n", tally(s.Status, nameFirst))
	}
}
