package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
)

// table prints both scores side by side.
func (d demo) table(w io.Writer, plain, with *score) error {
	out := bufio.NewWriter(w)
	line := func(what, p, m, note string) {
		if note != "" {
			note = "   " + note
		}
		fmt.Fprintf(out, "%-14s%18s%9s%s\n", what, p, m, note)
	}
	row := func(what string, p, m int64, note string) { line(what, number(p), number(m), note) }

	can := number(int64(with.Got + with.Lost))
	line(number(int64(d.urls))+" URLs", "plain http.Client", "mettle", "")
	row("got", int64(plain.Got), int64(with.Got), "of "+can+" that can be had in "+strconv.Itoa(attempts)+" attempts")
	row("lost", int64(plain.Lost), int64(with.Lost), "can be had, but was not got")
	row("wrong", int64(plain.Wrong), int64(with.Wrong), "an error page or a piece, taken for the whole")
	row("requests", plain.Requests, with.Requests, "that the server saw")
	row("holds broken", plain.Violations, with.Violations, "requests to a host that had said Retry-After")
	line("seconds", seconds(plain), seconds(with), "")
	fmt.Fprintln(out, "\nfailed, by kind")
	kinds := maps.Clone(plain.kinds)
	maps.Copy(kinds, with.kinds)
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		row("  "+k, int64(plain.kinds[k]), int64(with.kinds[k]), "")
	}
	return out.Flush()
}

func seconds(s *score) string { return strconv.FormatFloat(s.Seconds, 'f', 1, 64) }
