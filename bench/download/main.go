// Command download measures mettle fetch beside curl and aria2c, on this machine alone, and prints two tables:
//
//	go run ./bench/download                             both, in a few minutes
//	go run ./bench/download -files 2000 -rounds 1       less of it
//	go run ./bench/download -write docs/benchmarks.md   into the page
//
// The first is how long many small files take from an nginx that the program starts, beside a bare loop around an http.Client too. All
// make 64 requests at a time. A time counts only if every file is whole, byte for byte.
//
// The second is what becomes of a list whose servers reset connections, cut bodies, fall silent, answer with errors and ask to be left alone:
// each tool, with the best flags for it that are known here, against a server of package chaos in a process of its own. The server knows
// what can be had, and counts what it was asked.
//
// It needs curl, aria2c and nginx (on Debian: apt install curl aria2 nginx-light), and Linux, where all of 127.0.0.0/8 is this machine.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/mettle-go/mettle/bench/internal/page"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "download:", err)
		os.Exit(1)
	}
}

// options are what the flags say.
type options struct {
	files, urls, rounds int
	seed                uint64
	write               string
	memory, disk        string
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] { // the processes that the program starts of itself
		case "loop":
			return loop(ctx, args[1:], stdout)
		case "serve":
			return serve(args[1:], stdin, stdout)
		}
	}
	var o options
	flags := flag.NewFlagSet("download", flag.ExitOnError)
	flags.IntVar(&o.files, "files", 20_000, "number of small files, 0 for none of this")
	flags.IntVar(&o.rounds, "rounds", 5, "times each tool fetches them")
	flags.IntVar(&o.urls, "urls", 2000, "number of URLs of the hostile server, 0 for none of this")
	flags.Uint64Var(&o.seed, "seed", 1, "of that list and its server")
	flags.StringVar(&o.memory, "memory", "/dev/shm", "a directory in memory")
	flags.StringVar(&o.disk, "disk", os.TempDir(), "a directory on a disk")
	flags.StringVar(&o.write, "write", "", "put the tables into this page between its marks")
	flags.Parse(args)
	if flags.NArg() > 0 || o.files < 0 || o.urls < 0 || o.rounds < 1 {
		return fmt.Errorf("want flags only, with -files and -urls of 0 or more and -rounds of 1 or more")
	}
	report, err := o.measure(ctx, strings.Join(append([]string{"go run ./bench/download"}, args...), " "), stderr)
	if err != nil {
		return err
	}
	if o.write != "" {
		return page.Rewrite(o.write, "download", report)
	}
	_, err = stdout.Write(report)
	return err
}

func (o options) measure(ctx context.Context, command string, stderr io.Writer) ([]byte, error) {
	work, err := os.MkdirTemp(o.memory, "mettle-download-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	bin, err := findBinaries(ctx, work)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s, `%s`; %s, %s/%s, %s, GOMAXPROCS %d; %s.\n", time.Now().Format(time.DateOnly), command,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.TrimSpace(cpuid.CPU.BrandName), runtime.GOMAXPROCS(0), bin.versions(ctx))
	if o.files > 0 {
		rows, err := o.small(ctx, bin, work, stderr)
		if err != nil {
			return nil, err
		}
		smallTable(&out, o.files, rows)
	}
	if o.urls > 0 {
		rows, can, err := o.hostile(ctx, bin, work, stderr)
		if err != nil {
			return nil, err
		}
		hostileTable(&out, o.urls, can, rows)
	}
	return out.Bytes(), nil
}

// binaries are the programs that are run.
type binaries struct{ self, mettle, curl, aria2c, nginx string }

// findBinaries builds mettle into dir and finds the others.
func findBinaries(ctx context.Context, dir string) (b binaries, err error) {
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin") // where nginx is
	for name, path := range map[string]*string{"curl": &b.curl, "aria2c": &b.aria2c, "nginx": &b.nginx} {
		if *path, err = exec.LookPath(name); err != nil {
			return b, fmt.Errorf("%w; on Debian: apt install curl aria2 nginx-light", err)
		}
	}
	b.mettle = filepath.Join(dir, "mettle")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.mettle, "github.com/mettle-go/mettle/cmd/mettle")
	if out, err := build.CombinedOutput(); err != nil {
		return b, fmt.Errorf("cannot build mettle, which takes a directory of its repository: %w\n%s", err, out)
	}
	return b, nil
}

// versions says which programs are compared.
func (b binaries) versions(ctx context.Context) string {
	var all []string
	for _, argv := range [][]string{{b.curl, "--version"}, {b.aria2c, "--version"}, {b.nginx, "-v"}} {
		out, _ := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
		line, _, _ := strings.Cut(string(out), "\n")
		line = strings.TrimPrefix(line, "nginx version: ")
		name, rest, _ := strings.Cut(strings.ReplaceAll(line, "/", " "), " ")
		version, _, _ := strings.Cut(strings.TrimPrefix(rest, "version "), " ")
		all = append(all, name+" "+version)
	}
	return strings.Join(all, ", ")
}
