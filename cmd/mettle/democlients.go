package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/mettle-go/mettle/chaos"
	"github.com/mettle-go/mettle/fetch"
	"github.com/mettle-go/mettle/group"
)

// How both clients go about it, so that what differs is only what they make of failures.
const (
	demoAtOnce  = 64
	demoTimeout = 4 * time.Second
)

// A dialer leads every host name to the server of the demonstration, except that of the dead host.
type dialer struct{ srv *chaos.Server }

func (d dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, _, _ := net.SplitHostPort(addr); host == deadHost {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	return d.srv.DialContext(ctx, network, addr)
}

func (d dialer) transport() *http.Transport {
	return &http.Transport{DialContext: d.DialContext, DisableCompression: true, MaxIdleConnsPerHost: demoAtOnce}
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// plainClient is what one writes first: a few goroutines, a timeout, errors looked at.
func plainClient(ctx context.Context, d dialer, urls []string) ([]result, error) {
	transport := d.transport()
	defer transport.CloseIdleConnections()
	c := http.Client{Transport: transport, Timeout: demoTimeout}
	return group.Map(ctx, urls, group.Config{Limit: demoAtOnce}, func(ctx context.Context, u string) (result, error) {
		body, err := get(ctx, &c, u)
		if err != nil {
			return result{url: u, kind: plainKind(err)}, ctx.Err()
		}
		sum := sha256.Sum256(body)
		return result{url: u, sum: hex.EncodeToString(sum[:])}, nil
	})
}

func get(ctx context.Context, c *http.Client, u string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// plainKind sorts what a plain client sees into the same drawers as mettle's.
func plainKind(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return string(fetch.KindTimeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return string(fetch.KindRefused)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return string(fetch.KindTruncated)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return string(fetch.KindReset)
	case strings.Contains(err.Error(), "redirects"):
		return string(fetch.KindRedirect)
	}
	return string(fetch.KindOther)
}

// mettleClient is mettle fetch, with times that suit a demonstration.
func mettleClient(ctx context.Context, d dialer, urls []string) ([]result, error) {
	transport := d.transport()
	defer transport.CloseIdleConnections()
	sink := make(keeper, 0, len(urls))
	_, err := fetch.Run(ctx, fetch.Config{
		Transport: transport, Concurrency: demoAtOnce, Attempts: attempts, Timeout: demoTimeout,
		Stall: time.Second, Backoff: 100 * time.Millisecond, MaxBackoff: 2 * time.Second, Patience: 5 * time.Second,
	}, fetch.URLs(urls...), &sink)
	return sink, err
}

// A keeper is a fetch.Sink that keeps of each record what the demonstration compares.
type keeper []result

func (k *keeper) Write(r *fetch.Record) error {
	res := result{url: r.URL, sum: r.SHA256}
	if !r.OK {
		res.kind = string(r.Error.Kind)
	}
	*k = append(*k, res)
	return nil
}

func (k *keeper) Flush() error { return nil }
