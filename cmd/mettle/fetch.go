package main

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"time"

	"github.com/mettle-go/mettle/fetch"
	"github.com/spf13/cobra"
)

// A fetchCommand is one invocation of mettle fetch.
type fetchCommand struct {
	config   fetch.Config
	output   string
	journal  fetch.JournalConfig
	allowed  allowance
	progress string
}

func newFetch() *cobra.Command {
	f := &fetchCommand{config: fetch.Config{Header: make(http.Header)}}
	cmd := &cobra.Command{
		Use:     "fetch [flags] [FILE...]",
		Short:   "Fetch every URL of a list, one JSON line of result each",
		GroupID: mainGroup.ID,
		Long: `Fetch every URL of the given files, or of stdin if there is no FILE or it is -,
and write one line of JSON for each as soon as it is known: whether it is ok,
its status, size and SHA-256, every attempt, why it failed.

A line of FILE is a URL, or a JSON object with url and optionally id, method,
header (an object of names and values), body, sha256 (of the answer) and mirrors
(a list of other URLs of the same content, tried in turn). Blank lines and lines
that begin with # are skipped. One that cannot be understood gets a failed
result, and the run goes on.

What may pass is tried again: dropped connections, cut bodies, silence, and
answers such as 429 and 503. A server that names a time to wait is left alone
until then. One to which request after request fails rests, but for a request
now and then; its URLs wait, which uses up no attempts, for --patience at most.
The other servers go on meanwhile. A request that a server may have carried out,
such as a POST, is not sent twice.

Ctrl-C once lets running requests finish, twice exits now. With --output, the
same command again goes on where it stopped, however that came about: URLs that
have a line in the file are not fetched, and with --dir, bodies that were cut
are continued. So it does after --max-time, and after --max-failures, whose
percentages count once there are 100 results. With --retry-failed, URLs of the
list that failed are fetched again once it is read to its end; failed results of
other URLs stay. SIGUSR1 makes a run say how far it is.

A result has id, url, ok, outcome (ok or failed), status, attempts, error (kind,
message, and retryable: another run may succeed), bytes, sha256, path (of the
body below --dir), complete (the server marked the end of the body), elapsed_ms,
started, final_url (where redirects led) and mirror (who served it). Kinds are
status, timeout, stalled, refused, reset, dns, tls, truncated, checksum,
too_large, redirect, invalid (a line that is no item), hint (the server asks for
too long a wait) and other.`,
		Example: `  # Results in a file. The same command again goes on where it stopped.
  mettle fetch -o results.jsonl urls.txt

  # Again what failed
  mettle fetch -o results.jsonl --retry-failed urls.txt

  # Keep the bodies, in files below pages
  mettle fetch -o results.jsonl --dir pages urls.txt

  # Many hosts, and gently with each
  mettle fetch -c 500 --per-host 2 --host-rate 60/m -o results.jsonl urls.txt

  # Not for longer than an hour, nor if one in 20 fails
  mettle fetch --max-time 1h --max-failures 5% -o results.jsonl urls.txt

  # What failed, and why
  mettle fetch urls.txt | jq -r 'select(.ok|not) | [.url,.error.message] | @tsv'

  # A header for all; an item with a header of its own
  mettle fetch --header 'Authorization: Bearer abc' urls.txt
  echo '{"url":"http://a.b/","header":{"Accept":"text/csv"}}' | mettle fetch

  # Files that must have these checksums
  jq -Rc 'split("  ") | {url:("http://a.b/" + .[1]), sha256:.[0]}' SHA256SUMS |
    mettle fetch -o results.jsonl --dir files`,
		Annotations: map[string]string{exitStatus: `  0    all ok
  1    some failed
  2    usage, or an input that cannot be read
  3    more failed than --max-failures allows
  4    all failed
  5    out of --max-time
  6    results or bodies cannot be written
  130  Ctrl-C; 143 and 129 are SIGTERM and SIGHUP

After 3, 5 and the signals, the same command with --output does what is left.`},
		RunE: f.run,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	// Each usage fits one line of the help.
	flags.VarP(file(&f.output), "output", "o", "add results to FILE, skip the URLs it has")
	flags.BoolVar(&f.journal.RetryFailed, "retry-failed", false, "fetch failed URLs of the list again, last")
	flags.Var(directory(&f.config.Dir), "dir", "save bodies below DIR, one directory a host")
	flags.Var(size(&f.config.MaxSize), "max-size", "fail a URL with a larger body: 10MB, 1GiB")
	flags.Var(choice(&f.progress, progressAuto, progressBar, progressPlain, progressJSON, progressNone), "progress",
		"bar, plain, json or none, on stderr")
	grouped(cmd, "Results and bodies", "output", "retry-failed", "dir", "max-size", "progress")

	flags.VarP(count(&f.config.Concurrency, 64), "concurrency", "c", "run at most N requests at a time")
	flags.Var(count(&f.config.PerHost, 8), "per-host", "run at most N of them to one host")
	flags.Var(perSecond(&f.config.Rate), "rate", "begin at most RATE requests: 50/s, 30/m, 9/h")
	flags.Var(perSecond(&f.config.HostRate), "host-rate", "begin at most RATE of them to one host")
	flags.Var(headers(f.config.Header), "header", "send that with every request (repeatable)")
	grouped(cmd, "Requests", "concurrency", "per-host", "rate", "host-rate", "header")

	flags.Var(count(&f.config.Attempts, 5), "attempts", "request a URL at most N times")
	flags.Var(span(&f.config.Timeout, 30*time.Second, false), "timeout", "end an attempt after that time")
	flags.Var(span(&f.config.Stall, 15*time.Second, false), "stall", "end it if the body stands still")
	flags.Var(span(&f.config.Patience, 2*time.Minute, true), "patience", "wait for a server that is down")
	flags.Var(span(&f.config.Hedge, 0, false), "hedge", "after that time without answer, ask twice")
	grouped(cmd, "Failures", "attempts", "timeout", "stall", "patience", "hedge")

	flags.Var(allowed(&f.allowed), "max-failures", "end when N URLs, or N% of them, have failed")
	flags.Var(span(&f.config.MaxTime, 0, false), "max-time", "end after that time, to go on later")
	flags.Var(span(&f.config.Grace, 10*time.Second, true), "grace", "let running requests end first")
	grouped(cmd, "When to stop", "max-failures", "max-time", "grace")
	return cmd
}

func (f *fetchCommand) run(cmd *cobra.Command, names []string) error {
	asked, unask := askedForStatus()
	defer unask()
	in, err := openInputs(cmd.InOrStdin(), names)
	if err != nil {
		return err
	}
	defer in.close()
	if name, same := in.has(f.output); same {
		return failed(exitUsage, "--output is %s, which is read as a list, too", quoted(name)).
			hinting("name another file for the results; those of an earlier run go on with --output and the list that they are of")
	}
	out, err := openOutput(f.output, f.journal, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	if in.terminal && len(names) == 0 {
		io.WriteString(stderr, "mettle: reading URLs from the terminal, one a line, end with Ctrl-D\n")
	}
	if f.progress != progressJSON && f.progress != progressNone {
		out.before(stderr, f.journal.RetryFailed, f.config.Dir)
	}
	c := f.config
	c.MaxFailures, c.MaxFailureShare = f.allowed.failures, f.allowed.share
	if c.Header.Get("User-Agent") == "" {
		c.Header.Set("User-Agent", "mettle")
	}
	c.Grace, c.Patience = max(c.Grace, 1), max(c.Patience, 1) // Config takes 0 for its defaults
	c.Meter = new(fetch.Meter)
	shared, piped := in.terminal || out.terminal(), (f.output == "" || f.output == "-") && isPipe(cmd.OutOrStdout())
	shown := newMonitor(newView(f.progress, stderr, shared, piped), c.Meter.Counts, asked)
	ctx, signals := onInterrupt(cmd.Context(), func(s syscall.Signal) { shown.stopping(f.config.Grace, s) })
	c.Stop = signals.stop
	counts, err := fetch.Run(ctx, c, in.source, out.Sink)
	signals.close()
	if cerr := out.close(); cerr != nil {
		err = errors.Join(cerr, err) // results that are lost come first
	}
	code := int(signals.code.Load())
	shown.close(counts, err == nil || code != 0 || counts.Read > 0)
	if f.progress != progressJSON {
		out.after(stderr)
	}
	return outcome(counts, err, code, f.allowed, out)
}
