package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/mettle-go/mettle/chaos"
)

func TestChaosServesUntilASignal(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		p := start(t, nil, w, "chaos", "--addr", "127.0.0.1:0", "--seed", "7")
		w.Close()
		url, err := bufio.NewReader(r).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		url = strings.TrimSuffix(url, "/\n")

		var out, errs bytes.Buffer
		list := strings.NewReader(url + "/ok?size=7\n" + url + "/status/404\n")
		if code := run(context.Background(), []string{"fetch"}, list, &out, &errs); code != exitSome {
			t.Errorf("fetch ends with %d: %s", code, &errs)
		}
		want, err := chaos.New(chaos.Config{Seed: 7}).Expect(url+"/ok?size=7", 1)
		if err != nil || !strings.Contains(out.String(), want.SHA256) {
			t.Errorf("the body is not that of the seed: %v, %s", err, &out)
		}
		p.Process.Signal(signal)
		p.says("mettle: served 2 requests on ", "mettle: by fault: ok 1, status 1\n", "mettle: by status: 200 1, 404 1\n")
		p.ends(0)
	}
}

func TestChaosWithAnAddressInUse(t *testing.T) {
	srv := chaos.New(chaos.Config{})
	if err := srv.Start(""); err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"chaos", "--addr", srv.Addr()}, nil, &out, &errs)
	if want := "mettle: cannot listen on " + srv.Addr() + ": address already in use\nhint: --addr 127.0.0.1:0 takes a port that is free\n"; code != exitUsage || errs.String() != want || out.Len() > 0 {
		t.Errorf("it ends with %d and %q, want %q", code, &errs, want)
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "0.0.0.0:80": false, "[::]:80": false, "192.0.2.1:80": false, "": false,
	} {
		if loopback(addr) != want {
			t.Errorf("loopback(%q) is %v", addr, !want)
		}
	}
}
