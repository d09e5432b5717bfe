package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shells are those that cobra writes completions for.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        (*cobra.Command).GenZshCompletion,
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
}

func newCompletion() *cobra.Command {
	known := slices.Sorted(maps.Keys(shells))
	return &cobra.Command{
		Use:                   "completion SHELL",
		Short:                 "Write what makes a shell complete commands, flags and files",
		GroupID:               setupGroup.ID,
		DisableFlagsInUseLine: true,
		Long: `Write a script to stdout that makes a shell complete the commands, flags and
files of mettle. SHELL is bash, zsh, fish or powershell.

A package puts the script where its shell looks for it:

  bash   /usr/share/bash-completion/completions/mettle
  zsh    /usr/share/zsh/site-functions/_mettle
  fish   /usr/share/fish/vendor_completions.d/mettle.fish

That of bash needs the package bash-completion, that of zsh compinit.`,
		Example: `  source <(mettle completion bash)         this shell, if it is bash
  source <(mettle completion zsh)          this shell, if it is zsh
  mettle completion fish | source          this shell, if it is fish
  mettle completion powershell | Out-String | Invoke-Expression

  # every new bash of yours
  mkdir -p ~/.local/share/bash-completion/completions
  mettle completion bash > ~/.local/share/bash-completion/completions/mettle`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return failed(exitUsage, "completion has no shell, want %s", oneOf(known))
			case shells[args[0]] == nil:
				return failed(exitUsage, "%s is not a shell that mettle knows, want %s", quoted(args[0]), oneOf(known))
			case len(args) > 1:
				return failed(exitUsage, "completion has the argument %s, want one shell", quoted(args[1]))
			}
			return nil
		},
		ValidArgsFunction: oneArg(cobra.ShellCompDirectiveNoFileComp, func(*cobra.Command) []string { return known }),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := shells[args[0]](cmd.Root(), cmd.OutOrStdout()); err != nil {
				return failed(exitOutput, "cannot write the script to stdout: %v", plainError(err))
			}
			return nil
		},
	}
}

// oneArg completes the one argument of a command.
func oneArg(first cobra.ShellCompDirective, words func(*cobra.Command) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(cmd), first
	}
}

// completeFlags makes the values of flags complete: files and directories where one is wanted, words where there is a choice.
// Without it, a shell would offer files for a number.
func completeFlags(cmd *cobra.Command) {
	for _, c := range append(cmd.Commands(), cmd) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			values, directive := []string(nil), cobra.ShellCompDirectiveNoFileComp
			switch {
			case f.Value.Type() == "FILE":
				directive = cobra.ShellCompDirectiveDefault
			case f.Value.Type() == "DIR":
				directive = cobra.ShellCompDirectiveFilterDirs
			case f.NoOptDefVal != "":
				return // it has no value of its own
			}
			if v, ok := f.Value.(value[string]); ok {
				values = v.words
			}
			if err := c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, directive)); err != nil {
				panic(fmt.Sprintf("mettle: completion of --%s: %v", f.Name, err))
			}
		})
	}
}
