package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mettle-go/mettle/chaos"
)

// A score is what a tool made of the hostile list.
type score struct {
	tool  tool
	flags string
	judgment
	requests, violations int64
	cost                 cost
}

// hostile lets every tool fetch the same list from an untouched server, and compares what it says with what the server says. It
// returns also how many of the URLs can be had.
func (o options) hostile(ctx context.Context, bin binaries, work string, stderr io.Writer) (scores []score, can int, err error) {
	for _, t := range []tool{mettleTool, curlTool, ariaTool, loopTool} {
		s, err := o.scoreOf(ctx, bin, work, t)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Fprintf(stderr, "hostile: %s: %d good, %d lost, %d wrong, %.1f s\n", t.name, s.good, s.lost, s.wrong, s.cost.wall.Seconds())
		scores = append(scores, s)
		can = s.good + s.lost
	}
	return scores, can, nil
}

func (o options) scoreOf(ctx context.Context, bin binaries, work string, t tool) (s score, err error) {
	srv, err := startServer(ctx, bin.self, o.seed)
	if err != nil {
		return s, err
	}
	urls := hostileList(o.seed, o.urls, srv.port)
	j, err := newJob(bin, work, urls)
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(j.dir)
	j.save, j.hostile = true, true
	argv, err := t.command(j)
	if err != nil {
		return s, err
	}
	s = score{tool: t, flags: strings.Join(argv[1:], " ")}
	if s.cost, err = spend(ctx, j.dir, argv); err != nil {
		return s, err
	}
	stats, err := srv.stop()
	if err != nil {
		return s, err
	}
	s.requests, s.violations = stats.Requests, stats.Violations
	claims, err := t.claims(j)
	if err != nil {
		return s, err
	}
	truths, err := truthsOf(o.seed, urls)
	if err != nil {
		return s, err
	}
	s.judgment = judge(claims, truths)
	return s, nil
}

// truthsOf says what can be had. Nothing listens at the dead host, of which the server does not know.
func truthsOf(seed uint64, urls []string) ([]chaos.Expectation, error) {
	srv := chaos.New(chaos.Config{Seed: seed})
	truths := make([]chaos.Expectation, len(urls))
	for i, u := range urls {
		if strings.HasPrefix(u, "http://"+strings.TrimSuffix(address(dead, ""), ":")) {
			continue
		}
		var err error
		if truths[i], err = srv.Expect(u, attempts); err != nil {
			return nil, err
		}
	}
	return truths, nil
}

// A judgment counts URLs.
type judgment struct {
	good  int // whole and right
	lost  int // not good, though it can be had
	wrong int // called good by the tool, which it is not
}

func judge(claims []claim, truths []chaos.Expectation) (j judgment) {
	for i, c := range claims {
		t := truths[i]
		good := c.ok && t.Gettable && c.check(want{t.Bytes, t.SHA256}) == nil
		switch {
		case good:
			j.good++
			continue
		case c.ok:
			j.wrong++
		}
		if t.Gettable {
			j.lost++
		}
	}
	return j
}
