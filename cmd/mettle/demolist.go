package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

const (
	demoHosts = 12          // that misbehave URL by URL
	heldHost  = "held.test" // asks everybody to stay away, now and then
	deadHost  = "dead.test" // nothing listens there
)

// demoList returns the URLs of the demonstration in their order. The same seed gives the same list. Of every 100 URLs on the common hosts,
// about 60 are well at once, 30 after a few attempts, and 10 never.
func demoList(seed uint64, n int) []string {
	draw := rand.New(rand.NewPCG(seed, 0))
	urls := make([]string, 0, n)
	for i := range n {
		host := fmt.Sprintf("host%d.test", i%demoHosts)
		switch {
		case i%15 == 7:
			host = heldHost
		case i%150 == 3:
			host = deadHost
		}
		urls = append(urls, fmt.Sprintf("http://%s%s", host, demoPath(host, i, draw)))
	}
	draw.Shuffle(n, func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	return urls
}

// demoPath returns the path of the i-th URL. Its parameters are those of package chaos.
func demoPath(host string, i int, draw *rand.Rand) string {
	size := 500 + draw.IntN(20_000)
	switch host {
	case deadHost:
		return fmt.Sprintf("/ok/%d", i)
	case heldHost:
		if draw.IntN(4) == 0 {
			return fmt.Sprintf("/hold/%d?for=2s&every=60", i)
		}
		return fmt.Sprintf("/ok/%d?size=%d", i, size)
	}
	fill := strings.NewReplacer("SIZE", strconv.Itoa(size), "HEAL", strconv.Itoa(1+draw.IntN(2)))
	for _, f := range demoFaults {
		if draw.IntN(1000) < f.perMille {
			return fmt.Sprintf("/%s/%d?%s", f.path, i, fill.Replace(f.query))
		}
	}
	return fmt.Sprintf("/ok/%d?size=%d", i, size)
}

// demoFaults are tried in turn, each with its own chance.
var demoFaults = []struct {
	perMille    int
	path, query string
}{
	// These are well after one or two requests more. Connections that /idle-close leaves dead cost requests of other URLs too, so that a
	// URL may need five attempts, but hardly more.
	{60, "reset", "size=SIZE&heal=HEAL"},
	{50, "reset-body", "size=SIZE&heal=HEAL"},
	{50, "short", "size=SIZE&heal=HEAL"},
	{50, "cut-chunk", "size=SIZE&heal=HEAL"},
	{60, "status/503", "size=SIZE&heal=HEAL"},
	{30, "status/500", "size=SIZE&heal=HEAL"},
	{12, "stall", "size=SIZE&heal=1"},
	{8, "slow-headers", "size=SIZE&heal=1"},
	{12, "idle-close", "size=SIZE"},
	{30, "redirect", "size=SIZE&n=3"},
	// And these never.
	{20, "status/404", ""},
	{10, "status/410", ""},
	{10, "status/502", ""},
	{10, "short", "size=SIZE"},
	{10, "loop", ""},
}
