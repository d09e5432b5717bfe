package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
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
		Long: `Fetch every URL of the given files, or of stdin if there is no FILE or it is -.

A line is a URL, or a JSON object with url and optionally id, method, body and
header (an object of names and values). Blank lines and lines that begin with #
are skipped. A line that cannot be understood gets a failed result, and the run
goes on.

Each URL gets one line of JSON on stdout or in --output as soon as it is known:
whether it is ok, its status, size and SHA-256, every attempt, why it failed.
Bodies are read to their end, checked and hashed, but not kept.

What may pass is tried again: dropped connections, cut bodies, silence, and
answers such as 429 and 503. A server that names a time to wait is left alone
until then. One to which request after request fails rests, but for a request
now and then; its URLs wait, which uses up no attempts, for --patience at most.
The other servers go on meanwhile.

Ctrl-C once lets running requests finish, twice exits now. What was not finished
has no line. With --output, the same command again goes on where it stopped,
however that came about: URLs that have a line in the file are not fetched.

Exit code: 0 all ok, 1 some failed, 2 usage, 3 too many failures, 4 all failed,
5 out of time, 6 results cannot be written, 130 or 143 interrupted.`,
		Example: `  mettle fetch urls.txt > results.jsonl
  mettle fetch -c 200 --per-host 4 -o results.jsonl a.txt b.txt
  cut -f3 table.tsv | mettle fetch --header 'Authorization: Bearer abc'
  mettle fetch urls.txt | jq -r 'select(.ok|not) | [.url,.error.message] | @tsv'
  echo '{"id":"7","url":"http://a.b/","method":"PUT","body":"x"}' | mettle fetch
  echo '{"url":"http://a.b/","header":{"Accept":"text/html"}}' | mettle fetch
  mettle fetch -o results.jsonl --retry-failed a.txt b.txt`,
		RunE: f.run,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.VarP(count(&f.config.Concurrency, 64), "concurrency", "c", "run at most `N` requests at a time")
	flags.Var(count(&f.config.PerHost, 8), "per-host", "run at most `N` requests at a time to one host")
	flags.Var(perSecond(&f.config.Rate), "rate", "begin at most that many requests a second: 50, 50/s, 30/m, 1000/h")
	flags.Var(perSecond(&f.config.HostRate), "host-rate", "begin at most that many requests a second to one host")
	flags.Var(count(&f.config.Attempts, 5), "attempts", "request a URL at most `N` times")
	flags.Var(span(&f.config.Timeout, 30*time.Second, false), "timeout", "end an attempt after that time")
	flags.Var(span(&f.config.Stall, 15*time.Second, false), "stall", "end an attempt whose body brings nothing for that time")
	flags.Var(span(&f.config.Patience, 2*time.Minute, true), "patience",
		"let URLs wait for that time for a server that is down, before they use up their attempts")
	flags.Var(directory(&f.config.Dir), "dir", "save bodies in that directory, below it one for each host")
	flags.Var(size(&f.config.MaxSize), "max-size", "fail a URL whose body is larger: 500kB, 10MB, 1GiB (default any size)")
	flags.Var(headers(f.config.Header), "header", "send that header with every request (repeatable)")
	flags.VarP(file(&f.output), "output", "o", "write results to `FILE`, not to stdout, and go on from those it has")
	flags.BoolVar(&f.journal.RetryFailed, "retry-failed", false, "take failed results out of the --output file and fetch them again")
	flags.Var(choice(&f.progress, progressAuto, progressBar, progressPlain, progressJSON, progressNone), "progress",
		"show progress on stderr: bar (on a terminal of its own), plain, json or none")
	flags.Var(allowed(&f.allowed), "max-failures", "end the run with that many failures, or when more than that share of its results, 100 at least, are: 5%")
	flags.Var(span(&f.config.MaxTime, 0, false), "max-time", "begin nothing any more after that time; the same command goes on later")
	flags.Var(span(&f.config.Grace, 10*time.Second, true), "grace",
		"let running requests go on for that time after Ctrl-C, --max-failures or --max-time")
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
	out, err := openOutput(f.output, f.journal, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	stderr := cmd.ErrOrStderr()
	if in.terminal && len(names) == 0 {
		io.WriteString(stderr, "mettle: reading URLs from the terminal, one a line, end with Ctrl-D\n")
	}
	if f.progress != progressJSON && f.progress != progressNone {
		out.before(stderr, f.journal.RetryFailed)
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
	ctx, signals := onInterrupt(cmd.Context(), func() { shown.stopping(f.config.Grace) })
	c.Stop = signals.stop
	counts, err := fetch.Run(ctx, c, in.source, out.Sink)
	signals.close()
	if cerr := out.close(); err == nil {
		err = cerr
	}
	shown.close(counts)
	if f.progress != progressJSON {
		out.after(stderr)
	}
	return outcome(counts, err, int(signals.code.Load()), out)
}

// leftOf is how much is still to do, as far as the list was read.
func leftOf(c fetch.Counts) string {
	if c.AllRead {
		return number(c.Left())
	}
	return "more than " + number(c.Left())
}

// tooManyFailures says what is left to do, if anything is.
func tooManyFailures(c fetch.Counts, resume string) *failure {
	if c.AllRead && c.Left() == 0 {
		return failed(exitBudget, "more failures than --max-failures allows")
	}
	return failed(exitBudget, "stopped by --max-failures, %s still to do", leftOf(c)).hinting("%s", resume)
}

// outcome turns the end of a run into that of the command.
func outcome(c fetch.Counts, err error, interrupted int, out *output) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*fetch.JournalError](err); ok {
		f := badResults(out.name, out.journal.Len(), e)
		if f.hint == "" {
			f.hint = out.resume()
		}
		return f
	}
	switch {
	case err != nil && interrupted != 0:
		return &failure{code: interrupted, hint: out.resume()}
	case errors.Is(err, fetch.ErrFailures):
		return tooManyFailures(c, out.resume())
	case errors.Is(err, fetch.ErrTime):
		return failed(exitTime, "out of time, %s still to do", leftOf(c)).hinting("%s", out.resume())
	case errors.Is(err, fetch.ErrRead):
		return cannotRead(inputOf(err), err)
	case errors.Is(err, fetch.ErrWrite):
		return failed(exitOutput, "%s", strings.TrimPrefix(err.Error(), "fetch: ")).hinting("%s", out.resume())
	case err != nil:
		return fmt.Errorf("fetch: %w", err)
	}
	if code := exitCode(c); code != exitOK {
		return &failure{code: code}
	}
	return nil
}
