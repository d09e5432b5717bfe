package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mettle-go/mettle/bench/internal/stats"
)

func smallTable(w io.Writer, files int, rows []*row) {
	fmt.Fprintf(w, "\n| %s files of 1 KiB from nginx | seconds | quartiles | ratio | CPU seconds |\n|---|---:|:---:|---:|---:|\n", number(files))
	for _, r := range rows {
		if r.first {
			fmt.Fprintf(w, "| **%s** | | | | |\n", r.group)
		}
		low, median, high := stats.Quartiles(r.walls)
		fmt.Fprintf(w, "| %s | %.2f | %.2f – %.2f | %.2f | %.2f |\n", r.name, median, low, high, stats.Median(r.ratios), stats.Median(r.cpus))
	}
}

func hostileTable(w io.Writer, urls, can int, scores []score) {
	fmt.Fprintf(w, "\n| %s URLs of hostile servers, %s of which can be had | good | lost | wrong | requests | holds broken | seconds |\n",
		number(urls), number(can))
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|")
	for _, s := range scores {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %.1f |\n", s.tool.name, number(s.good), number(s.lost), number(s.wrong),
			number(int(s.requests)), number(int(s.violations)), s.cost.wall.Seconds())
	}
	fmt.Fprintln(w, "\nThe flags, in the second table:")
	fmt.Fprintln(w)
	for _, s := range scores {
		fmt.Fprintf(w, "- %s: `%s`\n", s.tool.name, s.flags)
	}
}

// number groups the digits of n.
func number(n int) string {
	s := strconv.Itoa(n)
	var parts []string
	for ; len(s) > 3; s = s[:len(s)-3] {
		parts = append([]string{s[len(s)-3:]}, parts...)
	}
	return strings.Join(append([]string{s}, parts...), ",")
}
