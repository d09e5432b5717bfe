// Command scale runs mettle fetch on a list as long as one likes, and says how long it took and how much memory:
//
//	go run ./bench/scale                        a million URLs of 100,000 hosts, every second one of a single host that is down
//	go run ./bench/scale -urls 10000000         ten million; takes 4 GB of disk
//	go run ./bench/scale -down 0                no host is down
//
// The command is the real one, over real TCP: the program is its HTTP proxy, so that any number of host names lead to this machine. Each URL is
// answered at once by a hundred bytes, those of the host that is down by 502. Afterwards the same command runs again, on the
// finished file of results: that is what it takes to go on after all of them.
//
// It wants as many results as URLs, each URL once, and exits with code 1 if it does not find them. No process but this one and
// the command runs; list and results are removed.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// A load is a list and how it is fetched.
type load struct {
	urls, hosts, down int
	attempts          int
	patience          time.Duration
	mettle            string
	dir               string
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var l load
	flags := flag.NewFlagSet("scale", flag.ExitOnError)
	flags.IntVar(&l.urls, "urls", 1_000_000, "number of URLs")
	flags.IntVar(&l.hosts, "hosts", 100_000, "number of hosts")
	flags.IntVar(&l.down, "down", 2, "every how many-th URL is of the host that is down, 0 for none")
	flags.IntVar(&l.attempts, "attempts", 5, "--attempts of mettle fetch")
	flags.DurationVar(&l.patience, "patience", 5*time.Second, "--patience of mettle fetch")
	parent := flags.String("dir", os.TempDir(), "where list and results are kept meanwhile, some 400 bytes a URL")
	flags.Parse(args)
	if l.urls < 1 || l.hosts < 1 || l.attempts < 1 || l.down < 0 || flags.NArg() > 0 {
		return errors.New("want -urls, -hosts and -attempts of 1 or more, -down of 0 or more, and no arguments")
	}
	var err error
	if l.dir, err = os.MkdirTemp(*parent, "mettle-scale-"); err != nil {
		return err
	}
	defer os.RemoveAll(l.dir)
	l.mettle = filepath.Join(l.dir, "mettle")
	build := exec.CommandContext(ctx, "go", "build", "-o", l.mettle, "github.com/mettle-go/mettle/cmd/mettle")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build mettle, which takes a directory of its repository: %w\n%s", err, out)
	}
	return l.measure(ctx, stdout)
}

func (l load) measure(ctx context.Context, stdout io.Writer) error {
	if err := l.writeList(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	p := &proxy{begin: time.Now()}
	go p.serve(listener)

	u, err := l.fetch(ctx, listener.Addr().String())
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d URLs of %d hosts: %.1f s, %.0f URLs a second, %.1f s of CPU, %d MiB at most\n", l.urls, l.hosts,
		u.wall.Seconds(), float64(l.urls)/u.wall.Seconds(), u.cpu.Seconds(), u.peak>>20)
	fmt.Fprintf(stdout, "%d requests, %d of them to the host that is down; the last of the others came after %.1f s\n",
		p.good.Load()+p.bad.Load(), p.bad.Load(), time.Duration(p.last.Load()).Seconds())
	if err := l.check(); err != nil {
		return err
	}
	before := p.good.Load() + p.bad.Load()
	if u, err = l.fetch(ctx, listener.Addr().String()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "again, with all results there: %.1f s, %.1f s of CPU, %d MiB at most\n", u.wall.Seconds(), u.cpu.Seconds(), u.peak>>20)
	if n := p.good.Load() + p.bad.Load() - before; n > 0 {
		return fmt.Errorf("%d URLs that had their result were fetched again", n)
	}
	return l.check()
}

func (l load) list() string    { return filepath.Join(l.dir, "list") }
func (l load) results() string { return filepath.Join(l.dir, "results.jsonl") }

func (l load) isDown(i int) bool { return l.down > 0 && i%l.down == 0 }

func (l load) writeList() error {
	f, err := os.Create(l.list())
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range l.urls {
		if l.isDown(i) {
			fmt.Fprintf(w, "http://%s/%d\n", downHost, i)
		} else {
			fmt.Fprintf(w, "http://host%d.test/%d\n", i%l.hosts, i)
		}
	}
	return w.Flush()
}

// A usage is what a process took.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes of memory
}

// fetch runs the command on the list.
func (l load) fetch(ctx context.Context, proxy string) (u usage, err error) {
	// All hosts are one to the connections that are kept, so that --per-host must not be less than --concurrency.
	cmd := exec.CommandContext(ctx, l.mettle, "fetch", "--per-host", "64", "--attempts", strconv.Itoa(l.attempts), "--patience", l.patience.String(),
		"--progress", "none", "--output", l.results(), l.list())
	cmd.Env = append(os.Environ(), "HTTP_PROXY=http://"+proxy, "http_proxy=http://"+proxy, "NO_PROXY=", "no_proxy=")
	var said bytes.Buffer
	cmd.Stderr = &said
	begin := time.Now()
	err = cmd.Run()
	u.wall = time.Since(begin)
	exit, ended := errors.AsType[*exec.ExitError](err)
	if err != nil && (!ended || exit.ExitCode() != 1) { // 1: some failed, as those that are down must
		return u, fmt.Errorf("mettle fetch: %w\n%s", err, &said)
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peak = r.Maxrss << 10
	}
	return u, nil
}

// check wants each URL of the list to have one result, and the right one.
func (l load) check() error {
	f, err := os.Open(l.results())
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	seen := make([]bool, l.urls)
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			if n != l.urls {
				return fmt.Errorf("there are %d results, want %d", n, l.urls)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("result %d: %w", n+1, err)
		}
		// Reading JSON would take longer than all the rest.
		i, ok := numberIn(line)
		if !ok || i >= l.urls || seen[i] {
			return fmt.Errorf("result %d is of no URL, or the second of one: %s", n+1, line)
		}
		seen[i] = true
		if good := bytes.Contains(line, []byte(`"ok":true`)); good == l.isDown(i) {
			return fmt.Errorf("result %d is not what it must be: %s", n+1, line)
		}
	}
}

// numberIn returns the number of the URL that a result is of.
func numberIn(line []byte) (int, bool) {
	_, rest, _ := bytes.Cut(line, []byte(`"url":"http://`))
	target, _, ok := bytes.Cut(rest, []byte(`"`))
	_, path, _ := bytes.Cut(target, []byte("/"))
	i, err := strconv.Atoi(string(path))
	return i, ok && err == nil && i >= 0
}
