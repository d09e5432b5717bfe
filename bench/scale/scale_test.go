package main

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

func TestASmallLoad(t *testing.T) {
	dir := t.TempDir()
	var out strings.Builder
	if err := run(t.Context(), []string{"-urls", "500", "-hosts", "20", "-down", "10", "-patience", "1ms", "-dir", dir}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"500 URLs of 20 hosts: ", " MiB at most\n", "requests, ", "\nagain, with all results there: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says %q, want %q", &out, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, error %v", left, err)
	}
}

func TestTheProxyAnswersForEveryHost(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := &proxy{begin: time.Now()}
	go p.serve(l)
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()})}
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport}
	for u, want := range map[string]int{"http://a.test/1": 200, "http://b.test/": 200, "http://down.test/1": 502, "http://down.testing/": 200} {
		resp, err := c.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", u, resp.Status, want)
		}
	}
	if p.good.Load() != 3 || p.bad.Load() != 1 || p.last.Load() <= 0 {
		t.Errorf("counted %d good, %d bad", p.good.Load(), p.bad.Load())
	}
}

func TestResultsAreChecked(t *testing.T) {
	l := load{urls: 3, hosts: 2, down: 2, dir: t.TempDir()}
	good := []string{
		`{"id":"x","url":"http://down.test/0","ok":false}`, `{"id":"x","url":"http://host1.test/1","ok":true}`, `{"id":"x","url":"http://down.test/2","ok":false}`,
	}
	for name, tc := range map[string]struct {
		lines []string
		ok    bool
	}{
		"all":             {good, true},
		"in other order":  {[]string{good[2], good[0], good[1]}, true},
		"one is missing":  {good[:2], false},
		"one twice":       {append(good[:2:2], good[0]), false},
		"four":            {append(good[:3:3], good[0]), false},
		"wrongly good":    {append(good[:2:2], strings.Replace(good[2], "false", "true", 1)), false},
		"wrongly failed":  {append(good[1:1:1], good[0], strings.Replace(good[1], "true", "false", 1), good[2]), false},
		"another number":  {append(good[:2:2], strings.Replace(good[2], "/2", "/3", 1)), false},
		"nothing of ours": {append(good[:2:2], `{}`), false},
	} {
		if err := os.WriteFile(l.results(), []byte(strings.Join(tc.lines, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := l.check(); (err == nil) != tc.ok {
			t.Errorf("%s: error %v, want ok %t", name, err, tc.ok)
		}
	}
	if err := os.WriteFile(l.results(), []byte(strings.Join(good, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
	if l.check() == nil {
		t.Error("the last line may be torn")
	}
}
