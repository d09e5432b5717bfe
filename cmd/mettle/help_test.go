package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func commandNamed(t *testing.T, name string) *cobra.Command {
	t.Helper()
	cmd, _, err := newRoot().Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// A flag that nobody put into a group ends up among others, where nobody looks for it.
func TestEachFlagOfFetchHasItsPlaceAndItsLine(t *testing.T) {
	cmd := commandNamed(t, "fetch")
	groups := flagGroups(cmd)
	if last := groups[len(groups)-1]; last.title != "Other flags" {
		t.Errorf("the last group is %s", last.title)
	} else {
		last.flags.VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" {
				t.Errorf("--%s is in no group, want grouped(cmd, TITLE, %q) in newFetch", f.Name, f.Name)
			}
		})
	}
	var out bytes.Buffer
	run(context.Background(), []string{"fetch", "--help"}, nil, &out, &out)
	_, flags, _ := strings.Cut(out.String(), "\nResults and bodies:")
	flags, _, _ = strings.Cut(flags, "\nExamples:")
	for line := range strings.Lines(flags) {
		if strings.HasPrefix(line, "          ") {
			t.Errorf("a flag takes more than one line: %s", line)
		}
	}
}

// What the examples call is there: commands and flags, those of other commands than the example's own too.
func TestExamplesNameFlagsThatExist(t *testing.T) {
	call := regexp.MustCompile(`\bmettle ([a-z]+)((?: +(?:'[^']*'|[^|>&;'\n ]+))*)`)
	n := 0
	for _, cmd := range documented(newRoot()) {
		for _, m := range call.FindAllStringSubmatch(cmd.Example, -1) {
			n++
			called := commandNamed(t, m[1])
			for arg := range strings.FieldsSeq(m[2]) {
				name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
				switch {
				case strings.HasPrefix(arg, "--") && name != "help" && called.Flags().Lookup(name) == nil,
					len(arg) == 2 && arg[0] == '-' && called.Flags().ShorthandLookup(name) == nil:
					t.Errorf("the examples of %s give %s to %s", cmd.Name(), arg, m[1])
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("found %d calls", n)
	}
}

func TestFlagGroups(t *testing.T) {
	cmd := &cobra.Command{Use: "x", Run: func(*cobra.Command, []string) {}}
	for _, name := range []string{"one", "two", "three", "four", "secret"} {
		cmd.Flags().Bool(name, false, "")
	}
	cmd.Flags().MarkHidden("secret")
	grouped(cmd, "B", "three", "one")
	grouped(cmd, "A", "four")
	var got []string
	for _, g := range flagGroups(cmd) {
		got = append(got, g.title+":")
		g.flags.VisitAll(func(f *pflag.Flag) { got = append(got, f.Name) })
	}
	if want := []string{"B:", "one", "three", "A:", "four", "Other flags:", "two", "help"}; !slices.Equal(got, want) {
		t.Errorf("the groups are %v, want %v", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a group takes a flag that there is not")
		}
	}()
	grouped(cmd, "C", "five")
}

func TestWrapped(t *testing.T) {
	for s, want := range map[string]string{
		"":                       "",
		"one two three":          "one two|three",
		"a (default\u00a010s) b": "a|(default 10s)|b",
		"extraordinary word":     "extraordinary|word",
	} {
		if got := strings.Join(wrapped(s, 8), "|"); got != want {
			t.Errorf("%q is wrapped to %q, want %q", s, got, want)
		}
	}
}
