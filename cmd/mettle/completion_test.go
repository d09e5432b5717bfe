package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is to come for a command line that ends where Tab is pressed. The directory has urls.txt, more.txt and sub/.
var completions = []struct {
	line string
	want []string
}{
	{"mettle ", []string{"chaos", "completion", "demo", "fetch", "help", "man", "version"}},
	{"mettle fe", []string{"fetch"}},
	{"mettle fetch --prog", []string{"--progress"}},
	{"mettle fetch --progress ", []string{"auto", "bar", "json", "none", "plain"}},
	{"mettle fetch --progress=p", []string{"plain"}},
	{"mettle fetch ur", []string{"urls.txt"}},
	{"mettle fetch urls.txt m", []string{"more.txt"}},
	{"mettle fetch -o mo", []string{"more.txt"}},
	{"mettle fetch --output mo", []string{"more.txt"}},
	{"mettle fetch -c ", nil},
	{"mettle fetch --timeout ", nil},
	{"mettle fetch --header ", nil},
	{"mettle fetch --dir ", []string{"sub"}},
	{"mettle fetch --max-size ", nil},
	{"mettle fetch --host-rate ", nil},
	{"mettle fetch --retry-failed ur", []string{"urls.txt"}},
	{"mettle completion ", []string{"bash", "fish", "powershell", "zsh"}},
	{"mettle completion bash ", nil},
	{"mettle man ", []string{"sub"}},
	{"mettle man sub ", nil},
	{"mettle help de", []string{"demo"}},
	{"mettle help demo ", nil},
	{"mettle chaos ", nil},
	{"mettle chaos --addr ", nil},
	{"mettle version ", nil},
}

// completeIn runs script in a shell, in a directory with files, once for each line, which is in its environment as LINE.
func completeIn(t *testing.T, shell []string, script string) {
	t.Helper()
	if _, err := exec.LookPath(shell[0]); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"urls.txt", "more.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tt := range completions {
		cmd := exec.Command(shell[0], append(shell[1:], script)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "LINE="+tt.line, "INPUTRC=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", tt.line, err, out)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t") // what follows describes it
			word, _, _ = strings.Cut(word, "  (")
			if word = strings.TrimSuffix(strings.TrimPrefix(word, "--progress="), "/"); word != "" {
				got = append(got, word)
			}
		}
		slices.Sort(got)
		// Where a directory is wanted, cobra's script lets fish offer all files.
		if shell[0] == "fish" && slices.Equal(tt.want, []string{"sub"}) {
			continue
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q completes to %v, want %v", tt.line, got, tt.want)
		}
	}
}

// bash calls the function that the script registered, as it does when Tab is pressed. What the package bash-completion brings
// to it is there too, as simple as it may be.
func TestCompletionInBash(t *testing.T) {
	completeIn(t, []string{"bash", "--norc", "-c"}, `
_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
_filedir() { local d=-f; [ "$1" = -d ] && d=-d; COMPREPLY=($(compgen $d -- "$cur")); }
type() { if [ "$*" = '-t compopt' ]; then echo builtin; else builtin type "$@"; fi; }
compopt() { [ "$*" != '+o default' ] || files=no; }
source <(mettle completion bash)
COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=63
read -ra COMP_WORDS <<<"$LINE"
case $LINE in *' ') COMP_WORDS+=('');; esac
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
files=yes
registered=$(complete -p mettle) || exit
function=${registered#*-F }; function=${function%% *}
COMPREPLY=()
$function mettle "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
# Registered with -o default, nothing of its own means files, unless the function took that back.
case $registered in *'-o default'*) ;; *) files=no;; esac
[ $files = no ] || [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
printf '%s\n' "${COMPREPLY[@]}"
`)
}

func TestCompletionInFish(t *testing.T) {
	completeIn(t, []string{"fish", "--no-config", "-c"}, `mettle completion fish | source; complete -C "$LINE"`)
}

func TestCompletionForAShellThatIsNotKnown(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"completion", "completion has no shell, want bash, fish, powershell or zsh"},
		{"completion tcsh", "tcsh is not a shell that mettle knows, want bash, fish, powershell or zsh"},
		{"completion bash zsh", "completion has the argument zsh, want one shell"},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), strings.Fields(tt.args), nil, &out, &errs)
		if code != exitUsage || errs.String() != fmt.Sprintf("mettle: %s\n", tt.want) || out.Len() > 0 {
			t.Errorf("%s ends with %d and %q, want %q", tt.args, code, &errs, tt.want)
		}
	}
}

// A shell that is not installed here at least gets a script.
func TestCompletionScripts(t *testing.T) {
	for shell := range shells {
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"completion", shell}, nil, &out, &errs); code != exitOK || !strings.Contains(out.String(), "__complete") {
			t.Errorf("%s: code %d, %q, a script of %d bytes", shell, code, &errs, out.Len())
		}
	}
}
