package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
)

// The hosts of the hostile list are addresses of this machine, so that no tool has to be told where names lead.
const (
	common = 12 // misbehave URL by URL
	held   = 12 // asks everybody to stay away, now and then
	hosts  = 13 // are served
	dead   = 13 // nothing listens there
)

func address(host int, port string) string {
	return net.JoinHostPort(fmt.Sprintf("127.0.0.%d", 101+host), port)
}

// hostileList returns n URLs on hosts of that port: of every 100 on the common hosts about 60 are well at once, 30 after a few attempts,
// and 10 never. The same seed gives the same list.
func hostileList(seed uint64, n int, port string) []string {
	draw := rand.New(rand.NewPCG(seed, 0))
	urls := make([]string, n)
	for i := range urls {
		host := i % common
		size := strconv.Itoa(500 + draw.IntN(20_000))
		path := fmt.Sprintf("/ok/%d?size=%s", i, size)
		switch {
		case i%150 == 3:
			host = dead
		case i%15 == 7:
			host = held
			if draw.IntN(4) == 0 {
				path = fmt.Sprintf("/hold/%d?for=2s&every=60", i)
			}
		default:
			at := draw.IntN(1000)
			for _, f := range faults {
				if at -= f.perMille; at < 0 {
					query := strings.NewReplacer("SIZE", size, "HEAL", strconv.Itoa(1+draw.IntN(2))).Replace(f.query)
					path = fmt.Sprintf("/%s/%d?%s", f.path, i, query)
					break
				}
			}
		}
		urls[i] = "http://" + address(host, port) + path
	}
	draw.Shuffle(n, func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	return urls
}

// faults are what the common hosts do, of 1000 URLs, to so many.
var faults = []struct {
	perMille    int
	path, query string
}{
	// These are well after one or two requests more.
	{50, "reset", "size=SIZE&heal=HEAL"},
	{45, "reset-body", "size=SIZE&heal=HEAL"},
	{45, "short", "size=SIZE&heal=HEAL"},
	{45, "cut-chunk", "size=SIZE&heal=HEAL"},
	{45, "status/503", "size=SIZE&heal=HEAL"},
	{20, "status/503", "size=SIZE&heal=1&after=1"},
	{20, "status/429", "size=SIZE&heal=HEAL"},
	{25, "status/500", "size=SIZE&heal=HEAL"},
	{12, "stall", "size=SIZE&heal=1"},
	{8, "slow-headers", "size=SIZE&heal=1"},
	{12, "idle-close", "size=SIZE"},
	{30, "redirect", "size=SIZE&n=3"},
	// And these never.
	{20, "status/404", ""},
	{10, "status/410", ""},
	{10, "status/502", ""},
	{10, "short", "size=SIZE"},
	{10, "cut-chunk", "size=SIZE"},
	{10, "loop", ""},
}
