package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The commands of docs/chaos.md print what it says. They take their ports and tools as a reader's machine would give them.
func TestCommandsOfTheChaosPaper(t *testing.T) {
	b, err := os.ReadFile("../../docs/chaos.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		language string
		run      []string
		needs    []string
	}{
		{"sh", []string{"sh", "-ec"}, []string{"curl", "jq", "sha256sum", "cmp"}},
		{"python", []string{"python3", "-c"}, nil},
	} {
		t.Run(tt.language, func(t *testing.T) {
			t.Parallel()
			for _, tool := range append(tt.needs, tt.run[0]) {
				if _, err := exec.LookPath(tool); err != nil {
					t.Skip(err)
				}
			}
			_, rest, _ := strings.Cut(string(b), "```"+tt.language+"\n")
			code, rest, _ := strings.Cut(rest, "```\n\nprints\n\n```\n")
			want, _, ok := strings.Cut(rest, "```")
			if !ok {
				t.Fatal("docs/chaos.md has no such code, or does not say what it prints")
			}
			cmd := exec.Command(tt.run[0], append(tt.run[1:], code)...)
			cmd.Dir = t.TempDir()
			cmd.Stderr = os.Stderr
			if out, err := cmd.Output(); err != nil || string(out) != want {
				t.Errorf("it prints\n%s%v, want\n%s", out, err, want)
			}
		})
	}
}
