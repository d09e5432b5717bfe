// Command bench measures mettle beside other libraries and beside what one writes by hand, and prints one table.
//
//	go run ./bench                             the table, in about three minutes
//	go run ./bench -run 'breaker|bulkhead'     only these rows
//	go run ./bench -write docs/benchmarks.md   the table, into the page
//
// # What is measured
//
// A row is a piece of work, a contender a way to do it. Before anything is timed, every contender of the chosen rows is checked to do what
// the row says: that it rejects without running the function, limits, trips, makes as many attempts as it should, cancels what takes too long,
// does each item once and loses none. If one does not, the program names it and exits with code 1.
//
// Then the contenders of a row take turns: each is timed once a round, and each round begins with another one. A figure is the
// median of the rounds, with their quartiles beside it. The ratio is the median of each round's ratio to mettle, so that a slow moment
// of the machine hits both sides of it. Allocations are counted by the runtime, over all goroutines.
//
// Every call has the context of a request, which has a value and a parent that can be canceled, and the function returns at once. It is called through a
// function value, here as everywhere; the row "the function alone" says what that costs.
//
// # Adding a row
//
// Write the rivals as functions that make an instance of P, the parameter that differs between timing and checking; write the check; and add
// the row to rows. A rival is used as its authors show it: a comment says where, if it is not obvious.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/mettle-go/mettle/bench/internal/page"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are what the flags say.
type options struct {
	plan     plan
	rows     []row
	json     bool
	markdown bool
	write    string
	check    bool
}

// run is the command without its process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2 // what is wrong has been said
	}
	return o.run(ctx, args, stdout, stderr)
}

// run does what the options say, which were made of args, and returns the exit code.
func (o options) run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	for _, r := range o.rows {
		if err := r.verify(); err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
	}
	if o.check {
		fmt.Fprintf(stdout, "%d row(s): every contender does what its row says\n", len(o.rows))
		return 0
	}
	rep := report{
		Date:    time.Now().Format(time.DateOnly),
		Command: strings.Join(append([]string{"go run ./bench"}, quoted(args)...), " "),
		Rounds:  o.plan.rounds,
		Chunk:   o.plan.chunk.String(),
		Machine: thisMachine(),
	}
	for i, r := range o.rows {
		if ctx.Err() != nil {
			fmt.Fprintln(stderr, "bench: interrupted")
			return 130
		}
		fmt.Fprintf(stderr, "%d of %d: %s\n", i+1, len(o.rows), r.name)
		res, err := measureRequest(r, o.plan)
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 1
		}
		rep.Results = append(rep.Results, res)
	}
	if err := o.print(rep, stdout); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// measureRequest measures a row under a request of its own: an interrupt must not end it, or calls would fail.
func measureRequest(r row, p plan) (result, error) {
	ctx, cancel := request()
	defer cancel()
	return r.measure(ctx, p)
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{plan: plan{tidy: runtime.GC}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.plan.rounds, "rounds", 11, "times each contender is measured")
	flags.DurationVar(&o.plan.chunk, "time", 100*time.Millisecond, "how long a contender is measured in one round")
	pattern := flags.String("run", "", "measure only rows whose name matches this regular expression")
	flags.BoolVar(&o.json, "json", false, "print JSON")
	flags.BoolVar(&o.markdown, "markdown", false, "print Markdown")
	flags.StringVar(&o.write, "write", "", "put the table, as Markdown, into this page between its marks")
	flags.BoolVar(&o.check, "check", false, "only check that every contender does what its row says")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	chosen, err := regexp.Compile(*pattern)
	if err == nil {
		o.rows = rows(chosen)
		err = o.validate(flags.NArg())
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return o, err
}

func (o options) validate(left int) error {
	modes := 0
	for _, set := range []bool{o.json, o.markdown, o.write != "", o.check} {
		if set {
			modes++
		}
	}
	switch {
	case left > 0:
		return fmt.Errorf("%d arguments, want flags only", left)
	case o.plan.rounds < 1:
		return fmt.Errorf("-rounds is %d, want 1 or more", o.plan.rounds)
	case o.plan.chunk <= 0:
		return fmt.Errorf("-time is %v, want more than 0", o.plan.chunk)
	case modes > 1:
		return errors.New("want one of -json, -markdown, -write and -check")
	case len(o.rows) == 0:
		return errors.New("-run matches no row")
	}
	return nil
}

func (o options) print(rep report, stdout io.Writer) error {
	switch {
	case o.json:
		return rep.json(stdout)
	case o.markdown:
		return rep.markdown(stdout)
	case o.write != "":
		var table bytes.Buffer
		if err := rep.markdown(&table); err != nil {
			return err
		}
		return page.Rewrite(o.write, "bench", table.Bytes())
	}
	return rep.text(stdout)
}

// quoted returns args as one would type them.
func quoted(args []string) []string {
	plain := regexp.MustCompile(`^[\w./=:-]+$`)
	typed := make([]string, len(args))
	for i, a := range args {
		if !plain.MatchString(a) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		typed[i] = a
	}
	return typed
}
