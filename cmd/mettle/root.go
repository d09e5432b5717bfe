package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "mettle",
		Short: "Fetch any list of URLs to the end",
		Long: `Mettle fetches any list of URLs to the end, whatever their servers do.

Results are JSON lines on stdout. All else goes to stderr.`,
		Example: `  mettle fetch urls.txt > results.jsonl   fetch every URL of a file
  mettle chaos                            serve a hostile server to try it on
  mettle fetch --help                     all about fetch`,
		Version:           version(),
		SilenceErrors:     true, // report says it
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("mettle {{.Version}}\n")
	root.SetFlagErrorFunc(badFlag)
	root.AddGroup(mainGroup, setupGroup)
	root.AddCommand(newFetch(), newDemo(), newChaos(), newCompletion(), newMan(), newVersion())
	root.SetHelpCommand(newHelp())
	root.SetUsageFunc(writeUsage)
	completeFlags(root)
	return root
}

// newVersion is for those who try it before --version.
func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:                   "version",
		Short:                 "Say what this binary was built from",
		GroupID:               setupGroup.ID,
		ValidArgsFunction:     cobra.NoFileCompletions,
		DisableFlagsInUseLine: true,
		Args:                  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "mettle", cmd.Root().Version)
			return err
		},
	}
}

// newHelp stands in for cobra's own command, which takes an unknown name for a success.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Show help about a command",
		GroupID: setupGroup.ID,
		ValidArgsFunction: oneArg(cobra.ShellCompDirectiveNoFileComp, func(cmd *cobra.Command) []string {
			return commandNames(cmd.Root())
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args[0])
			}
			return about.Help()
		},
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	known := commandNames(root)
	f := failed(exitUsage, "%s is not a command, want %s", quoted(name), oneOf(known))
	if near := nearest(name, known); near != "" {
		f.hint = "did you mean " + near + "?"
	}
	return f
}

func commandNames(root *cobra.Command) []string {
	var known []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			known = append(known, c.Name())
		}
	}
	slices.Sort(known)
	return known
}

// noArgs is for commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return failed(exitUsage, "%s has the argument %s, want none", cmd.Name(), quoted(args[0]))
	}
	return nil
}

// badFlag says in one line what is wrong with a flag. An error from a value's Set says what is wanted, this adds the rest.
func badFlag(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return failed(exitUsage, "--%s is %s, %v", e.GetFlag().Name, quoted(e.GetValue()), e.Unwrap())
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name, given := "--"+e.GetSpecifiedName(), e.GetSpecifiedName()
		if short := e.GetSpecifiedShortnames(); short != "" {
			name, given = "-"+given, short // all of them: perhaps it is only a dash that is missing
		}
		f := failed(exitUsage, "%s is not a flag of %s, see %[2]s --help", name, cmd.CommandPath())
		if near := nearFlag(cmd, given); near != "" {
			f.hint = "did you mean --" + near + "?"
		}
		return f
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return failed(exitUsage, "--%s has no value, want --%[1]s %s", e.GetFlag().Name, metavar(e.GetFlag()))
	}
	return failed(exitUsage, "%v", err)
}

func metavar(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	return name
}

// quoted returns s as it stands where it is plain to see where it begins and ends, else quoted.
func quoted(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

func oneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// version says what this binary was built from.
func version() string {
	v := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	return fmt.Sprintf("%s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
