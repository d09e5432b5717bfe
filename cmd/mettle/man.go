package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:                   "man DIR",
		Short:                 "Write the man pages into a directory, for packages",
		GroupID:               setupGroup.ID,
		DisableFlagsInUseLine: true,
		Long: `Write mettle.1 and a page for each command into DIR, which is made if need be.

The pages are the same whenever they are written: their date is that of the
commit this binary was built from, or what SOURCE_DATE_EPOCH says.`,
		Example: `  mettle man "$DESTDIR/usr/share/man/man1"
  mettle man /tmp/m && man -l /tmp/m/mettle-fetch.1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return failed(exitUsage, "man has %s, want a directory to write to", plural(int64(len(args)), "argument")).
					hinting("to read a page: mettle man /tmp/m && man -l /tmp/m/mettle-fetch.1")
			}
			return nil
		},
		ValidArgsFunction: oneArg(cobra.ShellCompDirectiveFilterDirs, func(*cobra.Command) []string { return nil }),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := writeManPages(args[0], cmd.Root()); err != nil {
				return failed(exitOutput, "cannot write man pages to %s: %v", quoted(args[0]), plainError(err))
			}
			return nil
		},
	}
}

func writeManPages(dir string, cmd *cobra.Command) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	built, err := buildDate(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	for _, c := range documented(cmd) {
		if err := os.WriteFile(filepath.Join(dir, pageName(c)+".1"), manPage(c, built), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// documented is cmd and the commands below it that have a page. That of help would say what help is.
func documented(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			all = append(all, c)
		}
	}
	return all
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// buildDate is a day as man pages write it, or "" where nobody knows. See reproducible-builds.org for the epoch.
func buildDate(epoch string) (string, error) {
	if epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return "", fmt.Errorf("SOURCE_DATE_EPOCH is %s, want seconds since 1970", quoted(epoch))
		}
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly), nil
	}
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, s := range info.Settings {
			if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return t.UTC().Format(time.DateOnly), nil
			}
		}
	}
	return "", nil
}

// A roff is a page in the macros of man(7).
type roff struct{ bytes.Buffer }

// manPage is the page of cmd. All that it says is what --help says.
func manPage(cmd *cobra.Command, built string) []byte {
	var r roff
	name := pageName(cmd)
	version, _, _ := strings.Cut(cmd.Root().Version, " ")
	fmt.Fprintf(&r, ".TH %s 1 \"%s\" \"mettle %s\" \"User Commands\"\n", escaped(strings.ToUpper(name)), built, escaped(version))
	fmt.Fprint(&r, ".nh\n.ad l\n") // no word of a command is to be torn in two, nor two to be driven apart
	r.section("NAME")
	r.fill(fmt.Sprintf("%s - %s", name, strings.ToLower(cmd.Short[:1])+cmd.Short[1:]))
	r.section("SYNOPSIS")
	path := cmd.CommandPath()
	usage := strings.TrimPrefix(cmd.UseLine(), path)
	if cmd.HasAvailableSubCommands() {
		usage = " COMMAND"
	}
	fmt.Fprintf(&r, "\\fB%s\\fR%s\n", escaped(path), escaped(usage))
	r.section("DESCRIPTION")
	r.text(cmp.Or(cmd.Long, cmd.Short+"."))
	if cmd.HasAvailableSubCommands() {
		r.section("COMMANDS")
		for _, c := range documented(cmd)[1:] {
			fmt.Fprintf(&r, ".TP\n\\fB%s\\fR\n", escaped(c.Name()))
			r.fill(c.Short)
		}
	}
	r.options(cmd)
	if about := cmd.Annotations[exitStatus]; about != "" {
		r.section("EXIT STATUS")
		r.text(about)
	}
	if cmd.Example != "" {
		r.section("EXAMPLES")
		r.text(cmd.Example)
	}
	r.section("SEE ALSO")
	var others []string
	for _, c := range documented(cmd.Root()) {
		if c != cmd {
			others = append(others, fmt.Sprintf("\\fB%s\\fR(1)", escaped(pageName(c))))
		}
	}
	fmt.Fprintln(&r, strings.Join(others, ",\n"))
	return r.Bytes()
}

func (r *roff) section(title string) { fmt.Fprintln(r, ".SH", title) }

// text fills paragraphs, but leaves lines that are indented as they are.
func (r *roff) text(s string) {
	kept := false // the last line was indented
	gap := ""     // what comes before the next line
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		switch keep := strings.HasPrefix(line, " "); {
		case line == "" && kept:
			gap = ".sp\n"
			continue
		case line == "":
			gap = ".PP\n"
			continue
		case keep && !kept:
			gap += ".nf\n.RS 2\n"
			kept = true
		case !keep && kept:
			gap = ".RE\n.fi\n.PP\n"
			kept = false
		}
		io.WriteString(r, gap)
		gap = ""
		if kept {
			r.line(escaped(strings.TrimPrefix(line, "  ")))
		} else {
			r.fill(line)
		}
	}
	if kept {
		io.WriteString(r, ".RE\n.fi\n")
	}
}

// fill writes words, in lines as short as mandoc asks for.
func (r *roff) fill(s string) {
	for _, line := range wrapped(escaped(s), 78) {
		r.line(line)
	}
}

// line writes a line of text, which a dot at its beginning would make a macro.
func (r *roff) line(s string) {
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	fmt.Fprintln(r, s)
}

func (r *roff) options(cmd *cobra.Command) {
	groups := flagGroups(cmd)
	if len(groups) == 0 {
		return
	}
	r.section("OPTIONS")
	for _, g := range groups {
		if len(groups) > 1 {
			fmt.Fprintf(r, ".SS %s\n", escaped(g.title))
		}
		g.flags.VisitAll(func(f *pflag.Flag) {
			short := ""
			if f.Shorthand != "" {
				short = fmt.Sprintf("\\fB\\-%s\\fR, ", escaped(f.Shorthand))
			}
			metavar, usage := pflag.UnquoteUsage(f)
			if metavar != "" {
				metavar = fmt.Sprintf(" \\fI%s\\fR", escaped(metavar))
			}
			fmt.Fprintf(r, ".TP\n%s\\fB\\-\\-%s\\fR%s\n", short, escaped(f.Name), metavar)
			r.fill(usage + shownDefault(f))
		})
	}
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`)

// escaped is text that comes out as it is here, also where it is copied from the page into a shell.
func escaped(s string) string { return roffEscapes.Replace(s) }
