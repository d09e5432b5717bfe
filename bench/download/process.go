package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// A cost is what a process took.
type cost struct{ wall, cpu time.Duration }

// spend runs a command in dir to its end, with its output in the files stdout and stderr there. That it fails is for the judge of its results.
func spend(ctx context.Context, dir string, argv []string) (cost, error) {
	out, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		return cost{}, err
	}
	defer out.Close()
	errs, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		return cost{}, err
	}
	defer errs.Close()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, out, errs
	begin := time.Now()
	err = cmd.Run()
	c := cost{wall: time.Since(begin)}
	if cmd.ProcessState == nil {
		return c, err
	}
	c.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return c, ctx.Err()
}

// startNginx serves the files of dir/www and returns the address, and what ends it.
func startNginx(ctx context.Context, bin, dir string) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = l.Addr().String()
	l.Close()
	user := ""
	if os.Getuid() == 0 {
		user = "user root; " // nobody else may look into dir
	}
	config := fmt.Sprintf(`%sworker_processes 2; daemon off; pid %[2]s/pid; error_log stderr;
events { worker_connections 4096; }
http {
	access_log off; sendfile on; keepalive_requests 1000000; default_type application/octet-stream;
	client_body_temp_path %[2]s/t1; proxy_temp_path %[2]s/t2; fastcgi_temp_path %[2]s/t3; uwsgi_temp_path %[2]s/t4; scgi_temp_path %[2]s/t5;
	server { listen %[3]s; root %[2]s/www; }
}
`, user, dir, addr)
	name := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(name, []byte(config), 0o644); err != nil {
		return "", nil, err
	}
	var log strings.Builder
	cmd := exec.CommandContext(ctx, bin, "-p", dir, "-c", name)
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	stop = func() { cmd.Process.Signal(os.Interrupt); <-ended }
	for {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr, stop, nil
		}
		select {
		case <-ended:
			return "", nil, fmt.Errorf("nginx ended: %s", log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// serve is the process of the hostile server: on the same port of several addresses of this machine, until the end of stdin. It prints
// the port at first, and what it has seen at the end.
func serve(args []string, stdin io.Reader, stdout io.Writer) error {
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	srv := chaos.New(chaos.Config{Seed: seed})
	first, err := net.Listen("tcp", address(0, "0"))
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(first.Addr().String())
	go srv.Serve(first)
	for i := 1; i < hosts; i++ {
		l, err := net.Listen("tcp", address(i, port))
		if err != nil {
			return err
		}
		go srv.Serve(l)
	}
	fmt.Fprintln(stdout, port)
	io.Copy(io.Discard, stdin)
	srv.Close()
	return json.NewEncoder(stdout).Encode(srv.Stats())
}

// A server is a process that serves.
type server struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
	port  string
}

func startServer(ctx context.Context, self string, seed uint64) (*server, error) {
	s := &server{cmd: exec.CommandContext(ctx, self, "serve", strconv.FormatUint(seed, 10))}
	stdin, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.stdin, s.out = stdin, bufio.NewReader(stdout)
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	port, err := s.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the hostile server does not start: %w", err)
	}
	s.port = strings.TrimSpace(port)
	return s, nil
}

// stop ends the server and returns what it has seen.
func (s *server) stop() (stats chaos.Stats, err error) {
	s.stdin.Close()
	err = json.NewDecoder(s.out).Decode(&stats)
	if ended := s.cmd.Wait(); err == nil {
		err = ended
	}
	return stats, err
}
