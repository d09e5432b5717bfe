package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands in the order of the help of mettle.
var (
	mainGroup  = &cobra.Group{ID: "main", Title: "Commands:"}
	setupGroup = &cobra.Group{ID: "setup", Title: "About this binary, and for your shell:"}
)

// exitStatus is the annotation of a command that explains its exit codes.
const exitStatus = "exit status"

// A flagGroup is a part of the flags of a command, under a title of its own.
type flagGroup struct {
	title string
	flags *pflag.FlagSet
}

const groupOf = "group" // the annotation of a flag that holds its title

// grouped puts flags of cmd under a title.
func grouped(cmd *cobra.Command, title string, names ...string) {
	for _, name := range names {
		if err := cmd.Flags().SetAnnotation(name, groupOf, []string{title}); err != nil {
			panic(fmt.Sprintf("mettle: %v", err))
		}
	}
}

// flagGroups are the flags of cmd in the order of the help: those of a group where the first of them was defined, those of none last.
func flagGroups(cmd *cobra.Command) []flagGroup {
	var all []flagGroup
	rest := newFlagSet()
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	for name, usage := range map[string]string{"help": "show this help", "version": "say what this binary was built from"} {
		if f := cmd.Flags().Lookup(name); f != nil {
			f.Usage = usage
		}
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		title := f.Annotations[groupOf]
		if title == nil {
			rest.AddFlag(f)
			return
		}
		for _, g := range all {
			if g.title == title[0] {
				g.flags.AddFlag(f)
				return
			}
		}
		all = append(all, flagGroup{title[0], newFlagSet()})
		all[len(all)-1].flags.AddFlag(f)
	})
	if !rest.HasFlags() {
		return all
	}
	title := "Flags"
	if len(all) > 0 {
		title = "Other flags"
	}
	return append(all, flagGroup{title, rest})
}

func newFlagSet() *pflag.FlagSet {
	s := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.SortFlags = false
	return s
}

// shownDefault is what help says behind a flag's usage. The usage itself says it where the zero value has another meaning.
func shownDefault(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "0s", "false", "[]":
		return ""
	}
	return " (default" + noBreak + f.DefValue + ")"
}

// helpWidth is the columns that the narrowest terminal in use has.
const helpWidth = 80

// writeUsage is cobra's usage, but with flags in groups, in lines that fit, and with what people look for last at the end, where a
// terminal stands still.
func writeUsage(cmd *cobra.Command) error {
	w := cmd.OutOrStderr()
	fmt.Fprint(w, "Usage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(w, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "  %s COMMAND\n", cmd.CommandPath())
	}
	for _, g := range cmd.Groups() {
		fmt.Fprintf(w, "\n%s\n", g.Title)
		for _, c := range cmd.Commands() {
			if c.GroupID == g.ID && (c.IsAvailableCommand() || c.Name() == "help") {
				fmt.Fprintf(w, "  %-*s %s\n", c.NamePadding(), c.Name(), c.Short)
			}
		}
	}
	writeFlags(w, flagGroups(cmd))
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if about := cmd.Annotations[exitStatus]; about != "" {
		fmt.Fprintf(w, "\nExit codes:\n%s\n", about)
	}
	return nil
}

// writeFlags writes two columns, the same ones for all groups.
func writeFlags(w io.Writer, groups []flagGroup) {
	left := 0
	for _, g := range groups {
		g.flags.VisitAll(func(f *pflag.Flag) { left = max(left, len(flagSyntax(f))) })
	}
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n", g.title)
		g.flags.VisitAll(func(f *pflag.Flag) {
			_, usage := pflag.UnquoteUsage(f)
			for i, line := range wrapped(usage+shownDefault(f), helpWidth-left-4) {
				syntax := ""
				if i == 0 {
					syntax = flagSyntax(f)
				}
				fmt.Fprintf(w, "  %-*s  %s\n", left, syntax, line)
			}
		})
	}
}

// flagSyntax is a flag as it is given, with room for its short name.
func flagSyntax(f *pflag.Flag) string {
	metavar, _ := pflag.UnquoteUsage(f)
	short := "    "
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}
	return strings.TrimRight(short+"--"+f.Name+" "+metavar, " ")
}

// noBreak is a space that wrapped does not take for the end of a word.
const noBreak = "\u00a0"

// wrapped breaks s between words into lines of that many columns at most.
func wrapped(s string, columns int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(s, " ") {
		word = strings.ReplaceAll(word, noBreak, " ")
		if line != "" && len(line)+1+len(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
