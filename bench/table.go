package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A report is everything that one run has to say.
type report struct {
	Date    string   `json:"date"` // of the day, as 2006-01-02
	Command string   `json:"command"`
	Rounds  int      `json:"rounds"`
	Chunk   string   `json:"time"` // of one contender in one round
	Machine machine  `json:"machine"`
	Results []result `json:"results"`
}

func (r report) json(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// text writes the report as a table for a terminal.
func (r report) text(w io.Writer) error {
	width := 0
	for _, res := range r.Results {
		for _, f := range res.Figures {
			width = max(width, utf8.RuneCountInString(f.Contender))
		}
	}
	fmt.Fprintf(w, "%s\n\n", r.origin())
	_, err := fmt.Fprintf(w, "  %-*s %8s %15s %7s %7s %7s\n", width, "", "ns", "quartiles", "ratio", "allocs", "bytes")
	for _, res := range r.Results {
		fmt.Fprintln(w, res.What)
		for i, f := range res.Figures {
			_, err = fmt.Fprintf(w, "  %-*s %8s %15s %7s %7s %7s\n",
				width, f.Contender, short(f.Median), short(f.Low)+" – "+short(f.High), res.ratio(i), short(f.Allocs), short(f.Bytes))
		}
	}
	return err
}

// markdown writes the report as a table for a page.
func (r report) markdown(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.origin())
	fmt.Fprintln(w, "| | ns | quartiles | ratio | allocs | bytes |")
	fmt.Fprintln(w, "|---|---:|:---:|---:|---:|---:|")
	for _, res := range r.Results {
		fmt.Fprintf(w, "| **%s** | | | | | |\n", res.What)
		for i, f := range res.Figures {
			fmt.Fprintf(w, "| %s | %s | %s – %s | %s | %s | %s |\n",
				f.Contender, short(f.Median), short(f.Low), short(f.High), res.ratio(i), short(f.Allocs), short(f.Bytes))
		}
	}
	_, err := fmt.Fprintf(w, "\nPeers: %s.\n", strings.Join(r.Machine.Peers, ", "))
	return err
}

// origin is where the figures come from, in one line.
func (r report) origin() string {
	return fmt.Sprintf("%s, `%s`: %d rounds of %s; %s, %s, %s, GOMAXPROCS %d.",
		r.Date, r.Command, r.Rounds, r.Chunk, r.Machine.Go, r.Machine.Platform, r.Machine.CPU, r.Machine.Procs)
}

// ratio tells how the time of the i-th figure compares to mettle's, which is the first of its row.
func (r result) ratio(i int) string {
	if !strings.HasPrefix(r.Figures[0].Contender, "mettle") {
		return ""
	}
	return strconv.FormatFloat(r.Figures[i].Ratio, 'f', 2, 64)
}

// short writes v with as many digits as mean something: three, and none after the point from 100 on. What a round leaves of
// some other goroutine's allocations is nothing.
func short(v float64) string {
	switch {
	case v < 0.01:
		return "0"
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	s := strconv.FormatFloat(v, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}
